/* What an agent with the encoding `msgpack` reads and writes: one message in; messages and a state out. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "msgpack.h"

/* ---------------------------------------------------------------------------------------------------- reading */

/* `failed`: it is a `failure`, which tells of a message that came to nothing. */
typedef struct {
    u64 receiver;
    const u8 *content;
    u32 length;
    int failed;
} Message;

static inline int equals(Value value, const char *text, u32 length) {
    return value.kind == STR && value.number == length && same(value.bytes, (const u8 *)text, length);
}

/* 1 if the bytes are one message that has a receiver and a content. */
static inline int read_message(const u8 *bytes, u32 length, Message *message) {
    Reader from = {bytes, bytes + length};
    Value map = next(&from);
    if (map.kind != MAP) return 0;
    int has_receiver = 0, has_content = 0;
    message->failed = 0;
    while (map.number-- > 0) {
        Value key = next(&from);
        if (!skip(&from, key, 0)) return 0;
        Value value = next(&from);
        if (!skip(&from, value, 0)) return 0;
        if (value.kind == UINT && equals(key, "receiver", 8)) {
            message->receiver = value.number;
            has_receiver = 1;
        } else if (value.kind == BIN && equals(key, "content", 7)) {
            message->content = value.bytes;
            message->length = (u32)value.number;
            has_content = 1;
        } else if (value.kind == STR && equals(key, "performative", 12)) {
            message->failed = equals(value, "failure", 7);
        }
    }
    return has_receiver && has_content && from.at == from.end;
}

/* ---------------------------------------------------------------------------------------------------- writing */

static u8 *to; /* where the next byte is written */

static inline void put(const void *bytes, u32 length) {
    copy(to, bytes, length);
    to += length;
}

/* A number, the first byte the highest. */
static inline void put_number(u64 value, u32 width) {
    while (width-- > 0) *to++ = (u8)(value >> (8 * width));
}

/* A number, the first byte the lowest. */
static inline void put_little(u64 value, u32 width) {
    for (; width-- > 0; value >>= 8) *to++ = (u8)value;
}

static inline void put_bin_head(u32 length) {
    u32 width = length < 1u << 8 ? 1 : length < 1u << 16 ? 2 : 4;
    *to++ = width == 1 ? 0xC4 : width == 2 ? 0xC5 : 0xC6;
    put_number(length, width);
}

/* The keys of what is written, each with the byte that says how long it is. */
static const char RECEIVER[] = "\xA8receiver", CONTENT[] = "\xA7" "content", MESSAGES[] = "\xA8messages";
static const char STATE[] = "\xA5state";
#define LENGTH(text) (sizeof(text) - 1)

/* The most bytes that stand before a content: a map, two keys, and five for each length. */
#define MESSAGE_HEAD (1u + LENGTH(RECEIVER) + LENGTH(CONTENT) + 10u)

/* The most bytes that stand before the content of an answer, and its start: {"messages": [{"content": */
#define ANSWER_HEAD (3u + LENGTH(MESSAGES) + LENGTH(CONTENT) + 5u)

static inline void put_answer_head(u32 length) {
    *to++ = 0x81;
    put(MESSAGES, LENGTH(MESSAGES));
    *to++ = 0x91;
    *to++ = 0x81;
    put(CONTENT, LENGTH(CONTENT));
    put_bin_head(length);
}

#endif
