/* Counter: counts the words it is sent, and tells on request.  Encoding: content.
 *
 *   a word                   any bytes, the first of them no newline: counted; answers nothing
 *   "\ntop <n>"              answers the report of its n most frequent words
 *   "\ntop <n> <skip>"       the same without the first `skip` of them
 *
 * The report, integers little-endian:
 *   "TOP1"  u64 total words  u64 distinct words  u32 entries  entries x { u64 count  u32 length  the word }
 * ordered by count, the largest first, then by bytes. A report ends early, but with one entry at least, where the next
 * would carry it beyond 1,000,000 bytes: ask again with `skip`. The error code -1 says: an empty word, or no question.
 *
 * It traps rather than count wrong: when memory is refused, or a count does not fit.
 */
#include "caxton.h"

#define NOT_UNDERSTOOD -1
#define REPORT_HEAD 24u
#define ENTRY_HEAD 12u
#define REPORT_BYTES 1000000u
#define FIRST_SLOTS 256u
#define MOST_ASKED 10000u

/* Records are never moved, so a slot may point at one; they start at any byte. */
typedef struct __attribute__((packed)) {
    u64 count;
    u32 length;
    u8 bytes[];
} Word;

/* Open addressing with linear probing; `hash` spares most looks at the record. A slot without a word is free. */
typedef struct {
    u32 hash;
    Word *word;
} Slot;

static Slot *slots;
static u32 slot_count; /* a power of two */
static u32 distinct;
static u64 total;

/* FNV-1a with 64 bits, stirred at the end: the words that come here agree in another hash's remainder already. */
static u32 hash_of(const u8 *bytes, u32 length) {
    u64 hash = 0xCBF29CE484222325u;
    for (u32 i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 0x100000001B3u;
    hash = (hash ^ (hash >> 32)) * 0x9E3779B97F4A7C15u;
    return (u32)(hash >> 32);
}

/* The slot that holds the word, or the free one where it belongs. */
static Slot *find(u32 hash, const u8 *bytes, u32 length) {
    for (u32 at = hash & (slot_count - 1);; at = (at + 1) & (slot_count - 1)) {
        Slot *slot = &slots[at];
        if (slot->word == 0) return slot;
        if (slot->hash == hash && slot->word->length == length && same(slot->word->bytes, bytes, length)) return slot;
    }
}

static void grow(void) {
    Slot *old = slots;
    u32 old_count = slot_count;
    slot_count = old_count ? old_count * 2 : FIRST_SLOTS;
    slots = (Slot *)new_pages(slot_count * sizeof(Slot));
    for (u32 i = 0; i < old_count; i++) {
        if (old[i].word == 0) continue;
        u32 at = old[i].hash & (slot_count - 1);
        while (slots[at].word != 0) at = (at + 1) & (slot_count - 1);
        slots[at] = old[i];
    }
    if (old_count * sizeof(Slot) > room_end - room_start) { /* the old slots are room for words now */
        room_start = (u32)old;
        room_end = room_start + old_count * sizeof(Slot);
    }
}

static void count(const u8 *bytes, u32 length) {
    if (distinct >= slot_count / 4 * 3) grow();
    u32 hash = hash_of(bytes, length);
    Slot *slot = find(hash, bytes, length);
    if (slot->word == 0) {
        Word *word = (Word *)take(sizeof(Word) + length);
        word->count = 0;
        word->length = length;
        copy(word->bytes, bytes, length);
        slot->hash = hash;
        slot->word = word;
        distinct++;
    }
    slot->word->count++;
    total++;
}

/* ---------------------------------------------------------------------------------------------------- report */

/* True if `a` stands before `b` in the report. */
static int before(const Word *a, const Word *b) {
    if (a->count != b->count) return a->count > b->count;
    u32 shorter = a->length < b->length ? a->length : b->length;
    for (u32 i = 0; i < shorter; i++)
        if (a->bytes[i] != b->bytes[i]) return a->bytes[i] < b->bytes[i];
    return a->length < b->length;
}

/* Sinks the word at `at` until none of its children stands behind it: best[0] is the last of those kept. */
static void sink(Word **best, u32 kept, u32 at) {
    for (u32 child; (child = at * 2 + 1) < kept; at = child) {
        if (child + 1 < kept && before(best[child], best[child + 1])) child++;
        if (!before(best[at], best[child])) return;
        Word *word = best[at];
        best[at] = best[child];
        best[child] = word;
    }
}

/* Puts the first `asked` words of the report into `best`, in order, and returns how many there are. */
static u32 select_best(Word **best, u32 asked) {
    u32 kept = 0;
    for (u32 i = 0; i < slot_count; i++) {
        Word *word = slots[i].word;
        if (word == 0) continue;
        if (kept < asked) {
            best[kept++] = word;
            if (kept == asked)
                for (u32 at = kept / 2; at-- > 0;) sink(best, kept, at);
        } else if (asked && before(word, best[0])) {
            best[0] = word;
            sink(best, kept, 0);
        }
    }
    if (kept < asked)
        for (u32 at = kept / 2; at-- > 0;) sink(best, kept, at);
    for (u32 left = kept; left > 1;) { /* a heap gives back its last word first */
        Word *word = best[0];
        best[0] = best[--left];
        best[left] = word;
        sink(best, left, 0);
    }
    return kept;
}

static u8 *put_u32(u8 *to, u32 value) {
    for (u32 i = 0; i < 4; i++) *to++ = (u8)(value >> (8 * i));
    return to;
}

static u8 *put_u64(u8 *to, u64 value) {
    return put_u32(put_u32(to, (u32)value), (u32)(value >> 32));
}

static i64 report(u32 asked, u32 skip) {
    static Word **best; /* these three are kept for the next report */
    static u8 *page;
    static u32 page_bytes;
    if (asked > MOST_ASKED || skip > MOST_ASKED - asked) return NOT_UNDERSTOOD;
    if (best == 0) best = (Word **)new_pages(MOST_ASKED * sizeof(Word *));
    u32 kept = select_best(best, asked + skip), last = skip, bytes = REPORT_HEAD;
    while (last < kept && (last == skip || bytes + ENTRY_HEAD + best[last]->length <= REPORT_BYTES))
        bytes += ENTRY_HEAD + best[last++]->length;
    if (bytes > page_bytes) page = new_pages(page_bytes = (bytes > 2 * page_bytes ? bytes : 2 * page_bytes));

    copy(page, (const u8 *)"TOP1", 4);
    u8 *to = put_u32(put_u64(put_u64(page + 4, total), distinct), last > skip ? last - skip : 0);
    for (u32 i = skip; i < last; i++) {
        to = put_u32(put_u64(to, best[i]->count), best[i]->length);
        copy(to, best[i]->bytes, best[i]->length);
        to += best[i]->length;
    }
    return response(page, bytes);
}

static i64 answer(const u8 *question, u32 length) {
    u32 asked, skip = 0, end = 5;
    if (length < 6 || !same(question, (const u8 *)"\ntop ", 5)) return NOT_UNDERSTOOD;
    while (end < length && question[end] != ' ') end++;
    if (!decimal(question + 5, end - 5, &asked)) return NOT_UNDERSTOOD;
    if (end < length && !decimal(question + end + 1, length - end - 1, &skip)) return NOT_UNDERSTOOD;
    return report(asked, skip);
}

EXPORT("handle_message") i64 handle_message(const u8 *message, u32 length) {
    if (length == 0) return NOT_UNDERSTOOD;
    if (message[0] == '\n') return answer(message, length);
    count(message, length);
    return NO_RESPONSE;
}
