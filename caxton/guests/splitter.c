/* Splitter: sends each word of a text to the agent that owns the word.  Encoding: msgpack.
 *
 *   content in:   "<prefix> <count>\n<text>"
 *   for each word of the text, in order: an inform with the word as content, to the agent "<prefix><k>",
 *   where k = FNV-1a-32(word) mod count
 *
 * A word is a maximal run of bytes other than space, \t, \n, \r, \v and \f. One turn sends at most 256 messages and
 * 1 MiB; what does not fit goes to the splitter itself, as this turn's last message. It all happens or nothing: a turn
 * that cannot is answered with an error code: -1 the message cannot be read, -2 the content does not start with a
 * header, -3 the text is so large that its first word and the rest do not fit into one turn.
 *
 *   "\ntotals"    answers what it has done, integers little-endian:
 *                 "SPL1"  u64 turns that split  u64 texts it came to the end of  u64 words sent  u64 failures
 *                 then the content of the first failure, if there was one of at most 2,000 bytes
 *
 * That is its state too, returned with every turn that changes it: the totals outlive the instance. A `failure` tells it
 * that something it sent came to nothing; it does not start from a state that is not its own.
 */
#include "message.h"

#define UNREADABLE -1
#define NO_HEADER -2
#define TOO_LARGE -3
#define FOREIGN_STATE 1
#define MOST_MESSAGES 256u
#define MOST_BYTES (1u << 20)
#define MOST_PREFIX 150u
#define MOST_DIGITS 10u

/* --------------------------------------------------------------------------------------------- what it has done */

#define TOTALS_HEAD 36u
#define MOST_FAILURE 2000u

static u64 turns, texts, words, failures;
static u8 first_failure[MOST_FAILURE];
static u32 first_failure_length;

#define MOST_TOTALS (TOTALS_HEAD + MOST_FAILURE)
#define STATE_ROOM (LENGTH(STATE) + 5u + MOST_TOTALS)

static u8 *out; /* the out buffer, MOST_BYTES, kept for every turn */

static u32 totals_length(void) {
    return TOTALS_HEAD + first_failure_length;
}

static void put_totals(void) {
    put("SPL1", 4);
    put_little(turns, 8);
    put_little(texts, 8);
    put_little(words, 8);
    put_little(failures, 8);
    put(first_failure, first_failure_length);
}

static void put_state(void) {
    put(STATE, LENGTH(STATE));
    put_bin_head(totals_length());
    put_totals();
}

EXPORT("caxton_init") u32 caxton_init(const u8 *state, u32 length) {
    out = new_pages(MOST_BYTES);
    if (length == 0) return 0;
    if (length < TOTALS_HEAD || length > MOST_TOTALS || !same(state, (const u8 *)"SPL1", 4)) return FOREIGN_STATE;
    __builtin_memcpy(&turns, state + 4, 8);
    __builtin_memcpy(&texts, state + 12, 8);
    __builtin_memcpy(&words, state + 20, 8);
    __builtin_memcpy(&failures, state + 28, 8);
    first_failure_length = length - TOTALS_HEAD;
    copy(first_failure, state + TOTALS_HEAD, first_failure_length);
    return 0;
}

static i64 answer_totals(void) {
    to = out;
    put_answer_head(totals_length());
    put_totals();
    return response(out, (u32)(to - out));
}

static i64 note_failure(const Message *message) {
    if (failures++ == 0 && message->length <= MOST_FAILURE) {
        first_failure_length = message->length;
        copy(first_failure, message->content, first_failure_length);
    }
    to = out;
    *to++ = 0x81;
    put_state();
    return response(out, (u32)(to - out));
}

/* ------------------------------------------------------------------------------------------- what it sends */

static void put_inform_to_name(const u8 *prefix, u32 prefix_length, u32 k, const u8 *word, u32 length) {
    u8 digits[MOST_DIGITS];
    u32 first = MOST_DIGITS;
    do digits[--first] = (u8)('0' + k % 10);
    while ((k /= 10) > 0);
    u32 name_length = prefix_length + MOST_DIGITS - first;

    *to++ = 0x82;
    put(RECEIVER, LENGTH(RECEIVER));
    if (name_length < 32) {
        *to++ = (u8)(0xA0 | name_length);
    } else {
        *to++ = 0xD9;
        *to++ = (u8)name_length; /* MOST_PREFIX keeps it below 256 */
    }
    put(prefix, prefix_length);
    put(digits + first, MOST_DIGITS - first);
    put(CONTENT, LENGTH(CONTENT));
    put_bin_head(length);
    put(word, length);
}

static void put_rest(u64 myself, const u8 *header, u32 header_length, const u8 *text, u32 length) {
    *to++ = 0x82;
    put(RECEIVER, LENGTH(RECEIVER));
    *to++ = 0xCF;
    put_number(myself, 8);
    put(CONTENT, LENGTH(CONTENT));
    put_bin_head(header_length + length);
    put(header, header_length);
    put(text, length);
}

/* ----------------------------------------------------------------------------------------------- splitting */

static int is_space(u8 byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r'); /* \t \n \v \f \r are 9 to 13 */
}

static u32 fnv1a(const u8 *bytes, u32 length) {
    u32 hash = 0x811C9DC5u;
    for (u32 i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 0x01000193u;
    return hash;
}

typedef struct {
    u32 prefix_length; /* the content starts with the prefix */
    u32 counters;
    u32 length; /* of the whole line, newline included */
} Header;

static int read_header(const u8 *content, u32 length, Header *header) {
    u32 end = 0, space = 0;
    for (; end < length && content[end] != '\n'; end++)
        if (content[end] == ' ') space = end;
    if (end == length || space == 0 || space > MOST_PREFIX) return 0;
    if (!decimal(content + space + 1, end - space - 1, &header->counters)) return 0;
    header->prefix_length = space;
    header->length = end + 1;
    return header->counters > 0;
}

static i64 split(const Message *message, const Header *header) {
    const u8 *at = message->content + header->length, *end = message->content + message->length;
    u32 messages = 0, rest = 0;
    to = out;
    *to++ = 0x82;
    put(MESSAGES, LENGTH(MESSAGES));
    *to++ = 0xDC;
    u8 *number = to; /* of messages: written when it is known */
    to += 2;
    for (;;) {
        while (at < end && is_space(*at)) at++;
        if (at == end) break;
        const u8 *word = at;
        while (at < end && !is_space(*at)) at++;
        /* This word, and after it a message with all the rest, and the state must find room. */
        u32 need = 2 * MESSAGE_HEAD + header->prefix_length + MOST_DIGITS + header->length + (u32)(end - word);
        if (messages == MOST_MESSAGES - 1 || need + STATE_ROOM > MOST_BYTES - (u32)(to - out)) {
            if (messages == 0) return TOO_LARGE;
            put_rest(message->receiver, message->content, header->length, word, (u32)(end - word));
            rest = 1;
            break;
        }
        u32 length = (u32)(at - word);
        put_inform_to_name(message->content, header->prefix_length, fnv1a(word, length) % header->counters, word, length);
        messages++;
    }
    turns++;
    texts += !rest;
    words += messages;
    number[0] = (u8)((messages + rest) >> 8);
    number[1] = (u8)(messages + rest);
    put_state();
    return response(out, (u32)(to - out));
}

EXPORT("handle_message") i64 handle_message(const u8 *bytes, u32 length) {
    Message message;
    Header header;
    if (!read_message(bytes, length, &message)) return UNREADABLE;
    if (message.failed) return note_failure(&message);
    if (message.length == 7 && same(message.content, (const u8 *)"\ntotals", 7)) return answer_totals();
    if (!read_header(message.content, message.length, &header)) return NO_HEADER;
    return split(&message, &header);
}
