/* Counter: counts the words it is sent, and tells on request.  Encoding: msgpack.
 *
 *   a word        any bytes, the first of them no newline: counted; answers nothing
 *   "\ntop <n>"   answers the report of its n most frequent words, at most 10,000
 *
 * The report, integers little-endian:
 *   "TOP1"  u64 total words  u64 distinct words  u32 entries  entries x { u64 count  u32 length  the word }
 * ordered by count, the largest first, then by bytes.
 *
 * Its counts are its state (table.h), at most 65,535 bytes, returned with every word: they outlive the instance. A
 * `failure` is passed over. Error codes: -1 an empty word, no question that it knows, or no message; -2 the word has no
 * room in the state. Then nothing has changed: it never counts wrong. It does not start from a state that is not its own.
 */
#include "message.h"
#include "table.h"

#define NOT_UNDERSTOOD -1
#define NO_ROOM -2
#define FOREIGN_STATE 1
#define REPORT_HEAD 24u
#define ENTRY_HEAD 12u
#define MOST_ASKED 10000u

/* What a turn that counted answers, around the table where it lies: {"state": the table */
#define STATE_HEAD (1u + LENGTH(STATE) + 3u)
static u8 counted[STATE_HEAD + MOST_TABLE];

EXPORT("caxton_init") u32 caxton_init(const u8 *state, u32 length) {
    to = counted;
    *to++ = 0x81;
    put(STATE, LENGTH(STATE));
    *to++ = 0xC5; /* bytes, their number in the next two */
    table = counted + STATE_HEAD;
    if (length == 0)
        clear_table();
    else if (!load_table(state, length))
        return FOREIGN_STATE;
    return 0;
}

static i64 count_word(const u8 *word, u32 length) {
    if (!count(word, length)) return NO_ROOM;
    to = table - 2;
    put_number(table_size, 2);
    return response(counted, STATE_HEAD + table_size);
}

/* ---------------------------------------------------------------------------------------------------- report */

/* True if the word at offset `one` stands before that at `other` in the report. */
static int before(u16 one, u16 other) {
    Word a, b;
    read_word(one, &a);
    read_word(other, &b);
    if (a.count != b.count) return a.count > b.count;
    u32 shorter = a.length < b.length ? a.length : b.length;
    for (u32 i = 0; i < shorter; i++)
        if (a.bytes[i] != b.bytes[i]) return a.bytes[i] < b.bytes[i];
    return a.length < b.length;
}

/* Offsets of words: best[0] is the last of those kept. */
static u16 best[MOST_ASKED];

/* Sinks the word at `at` until none of its children stands behind it. */
static void sink(u32 kept, u32 at) {
    for (u32 child; (child = at * 2 + 1) < kept; at = child) {
        if (child + 1 < kept && before(best[child], best[child + 1])) child++;
        if (!before(best[at], best[child])) return;
        u16 word = best[at];
        best[at] = best[child];
        best[child] = word;
    }
}

static void make_heap(u32 kept) {
    for (u32 at = kept / 2; at-- > 0;) sink(kept, at);
}

/* Puts the first `asked` words of the report into `best`, in order, and returns how many there are. */
static u32 select_best(u32 asked) {
    Word word;
    u32 kept = 0;
    for (u32 at = TABLE_HEAD; at < table_size; at = word.end) {
        read_word(at, &word);
        if (kept < asked) {
            best[kept++] = (u16)at;
            if (kept == asked) make_heap(kept);
        } else if (asked && before((u16)at, best[0])) {
            best[0] = (u16)at;
            sink(kept, 0);
        }
    }
    if (kept < asked) make_heap(kept);
    for (u32 left = kept; left > 1;) { /* a heap gives back its last word first */
        u16 offset = best[0];
        best[0] = best[--left];
        best[left] = offset;
        sink(left, 0);
    }
    return kept;
}

static i64 report(u32 asked) {
    static u8 page[ANSWER_HEAD + REPORT_HEAD + MOST_ASKED * ENTRY_HEAD + MOST_TABLE];
    if (asked > MOST_ASKED) return NOT_UNDERSTOOD;
    u32 kept = select_best(asked), bytes = REPORT_HEAD;
    Word word;
    for (u32 i = 0; i < kept; i++) {
        read_word(best[i], &word);
        bytes += ENTRY_HEAD + word.length;
    }
    to = page;
    put_answer_head(bytes);
    put("TOP1", 4);
    put_little(total(), 8);
    put_little(distinct, 8);
    put_little(kept, 4);
    for (u32 i = 0; i < kept; i++) {
        read_word(best[i], &word);
        put_little(word.count, 8);
        put_little(word.length, 4);
        put(word.bytes, word.length);
    }
    return response(page, (u32)(to - page));
}

static i64 answer(const u8 *question, u32 length) {
    u32 asked;
    if (length < 6 || !same(question, (const u8 *)"\ntop ", 5)) return NOT_UNDERSTOOD;
    if (!decimal(question + 5, length - 5, &asked)) return NOT_UNDERSTOOD;
    return report(asked);
}

EXPORT("handle_message") i64 handle_message(const u8 *bytes, u32 length) {
    Message message;
    if (!read_message(bytes, length, &message)) return NOT_UNDERSTOOD;
    if (message.failed) return NO_RESPONSE;
    if (message.length == 0) return NOT_UNDERSTOOD;
    if (message.content[0] == '\n') return answer(message.content, message.length);
    return count_word(message.content, message.length);
}
