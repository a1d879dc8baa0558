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
 */
#include "msgpack.h"

#define UNREADABLE -1
#define NO_HEADER -2
#define TOO_LARGE -3
#define MOST_MESSAGES 256u
#define MOST_BYTES (1u << 20)
#define MOST_PREFIX 150u

/* ---------------------------------------------------------------------------------------------- the message */

typedef struct {
    u64 receiver;
    const u8 *content;
    u32 length;
} Message;

static int named(Value key, const char *name, u32 length) {
    return key.kind == STR && key.number == length && same(key.bytes, (const u8 *)name, length);
}

/* 1 if the bytes are one message that has a receiver and a content. */
static int read_message(const u8 *bytes, u32 length, Message *message) {
    Reader from = {bytes, bytes + length};
    Value map = next(&from);
    if (map.kind != MAP) return 0;
    int has_receiver = 0, has_content = 0;
    while (map.number-- > 0) {
        Value key = next(&from);
        if (!skip(&from, key, 0)) return 0;
        Value value = next(&from);
        if (!skip(&from, value, 0)) return 0;
        if (value.kind == UINT && named(key, "receiver", 8)) {
            message->receiver = value.number;
            has_receiver = 1;
        } else if (value.kind == BIN && named(key, "content", 7)) {
            message->content = value.bytes;
            message->length = (u32)value.number;
            has_content = 1;
        }
    }
    return has_receiver && has_content && from.at == from.end;
}

/* --------------------------------------------------------------------------------------- writing msgpack */

static u8 *out, *to; /* the out buffer, kept for every turn, and where in it we are */

static void put(const void *bytes, u32 length) {
    copy(to, bytes, length);
    to += length;
}

static void put_number(u64 value, u32 width) {
    while (width-- > 0) *to++ = (u8)(value >> (8 * width));
}

static void put_bin_head(u32 length) {
    u32 width = length < 1u << 8 ? 1 : length < 1u << 16 ? 2 : 4;
    *to++ = width == 1 ? 0xC4 : width == 2 ? 0xC5 : 0xC6;
    put_number(length, width);
}

static const char BEFORE_RECEIVER[] = "\x82\xA8receiver"; /* a map of two */
static const char BEFORE_CONTENT[] = "\xA7" "content";
#define LENGTH(text) (sizeof(text) - 1)

/* The most bytes of a message beside the receiver's name and the content: the keys, and five for each length. */
#define MESSAGE_HEAD (LENGTH(BEFORE_RECEIVER) + LENGTH(BEFORE_CONTENT) + 10u)
#define MOST_DIGITS 10u

static void put_inform_to_name(const u8 *prefix, u32 prefix_length, u32 k, const u8 *word, u32 length) {
    u8 digits[MOST_DIGITS];
    u32 first = MOST_DIGITS;
    do digits[--first] = (u8)('0' + k % 10);
    while ((k /= 10) > 0);
    u32 name_length = prefix_length + MOST_DIGITS - first;

    put(BEFORE_RECEIVER, LENGTH(BEFORE_RECEIVER));
    if (name_length < 32) {
        *to++ = (u8)(0xA0 | name_length);
    } else {
        *to++ = 0xD9;
        *to++ = (u8)name_length; /* MOST_PREFIX keeps it below 256 */
    }
    put(prefix, prefix_length);
    put(digits + first, MOST_DIGITS - first);
    put(BEFORE_CONTENT, LENGTH(BEFORE_CONTENT));
    put_bin_head(length);
    put(word, length);
}

static void put_rest(u64 myself, const u8 *header, u32 header_length, const u8 *text, u32 length) {
    put(BEFORE_RECEIVER, LENGTH(BEFORE_RECEIVER));
    *to++ = 0xCF;
    put_number(myself, 8);
    put(BEFORE_CONTENT, LENGTH(BEFORE_CONTENT));
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
    u32 messages = 0;
    if (out == 0) out = new_pages(MOST_BYTES);
    to = out;
    put("\x81\xA8messages\xDC\0\0", 13); /* the number of messages is written when it is known */
    for (;;) {
        while (at < end && is_space(*at)) at++;
        if (at == end) break;
        const u8 *word = at;
        while (at < end && !is_space(*at)) at++;
        /* This word, and after it a message with all the rest, must find room. */
        u32 need = 2 * MESSAGE_HEAD + header->prefix_length + MOST_DIGITS + header->length + (u32)(end - word);
        if (messages == MOST_MESSAGES - 1 || need > MOST_BYTES - (u32)(to - out)) {
            if (messages == 0) return TOO_LARGE;
            put_rest(message->receiver, message->content, header->length, word, (u32)(end - word));
            messages++;
            break;
        }
        u32 length = (u32)(at - word);
        put_inform_to_name(message->content, header->prefix_length, fnv1a(word, length) % header->counters, word, length);
        messages++;
    }
    if (messages == 0) return NO_RESPONSE;
    out[11] = (u8)(messages >> 8);
    out[12] = (u8)messages;
    return response(out, (u32)(to - out));
}

EXPORT("handle_message") i64 handle_message(const u8 *bytes, u32 length) {
    Message message;
    Header header;
    if (!read_message(bytes, length, &message)) return UNREADABLE;
    if (!read_header(message.content, message.length, &header)) return NO_HEADER;
    return split(&message, &header);
}
