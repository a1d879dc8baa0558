/* What an agent needs to take part in a conversation: what it was asked, and answers that say what they are.
 *
 * An answer goes to whoever asked, in the same conversation and protocol, and names what it answers, so that one call
 * is all: `answer(PROPOSE, price, length)` after `open_answer(room)`, and then, if the state has changed, `keep`.
 */
#ifndef CONVERSATION_H
#define CONVERSATION_H

#include "message.h"

/* Of FIPA's acts, those of contract nets and requests; every other is ANOTHER_ACT. */
typedef enum { ANOTHER_ACT, ACCEPT_PROPOSAL, AGREE, CANCEL, CFP, FAILURE, INFORM, NOT_UNDERSTOOD, PROPOSE, QUERY_REF,
               REFUSE, REJECT_PROPOSAL, REQUEST, ACTS } Act;

static const char *const ACT_NAMES[ACTS] = {"", "accept-proposal", "agree", "cancel", "cfp", "failure", "inform",
                                            "not-understood", "propose", "query-ref", "refuse", "reject-proposal",
                                            "request"};

/* A text of the message, where it lies; 0 bytes long where there is none. */
typedef struct {
    const u8 *bytes;
    u32 length;
} Text;

/* What was asked. reply_by: milliseconds since 1970 after which no answer is wanted, 0 where it is not said.
 * wants_answer: it has a reply_with. delivery_count: 2 and more mean that it may have been handled before. */
typedef struct {
    Act act;
    u64 sender, reply_by, delivery_count;
    Text content, protocol, reply_with, in_reply_to, conversation_id;
    int wants_answer;
} Asked;

/* Called from many places: inlined in each they would make a module larger by half. */
#define ONCE __attribute__((noinline, unused)) static

ONCE u32 text_length(const char *text) {
    u32 length = 0;
    while (text[length]) length++;
    return length;
}

ONCE int is_key(Value key, const char *name) {
    return equals(key, name, text_length(name));
}

static inline Act act_of(Value value) {
    for (u32 act = 1; act < ACTS; act++)
        if (equals(value, ACT_NAMES[act], text_length(ACT_NAMES[act]))) return (Act)act;
    return ANOTHER_ACT;
}

ONCE void read_text(Value key, Value value, const char *name, Kind kind, Text *text) {
    if (value.kind == kind && is_key(key, name)) *text = (Text){value.bytes, (u32)value.number};
}

ONCE void read_whole(Value key, Value value, const char *name, u64 *number) {
    if (value.kind == UINT && is_key(key, name)) *number = value.number;
}

/* 1 if the bytes are one message. */
static inline int read_asked(const u8 *bytes, u32 length, Asked *asked) {
    Reader from = {bytes, bytes + length};
    Value map = next(&from);
    if (map.kind != MAP) return 0;
    __builtin_memset(asked, 0, sizeof *asked);
    asked->delivery_count = 1;
    while (map.number-- > 0) {
        Value key = next(&from);
        if (!skip(&from, key, 0)) return 0;
        Value value = next(&from);
        if (!skip(&from, value, 0)) return 0;
        if (value.kind == STR && is_key(key, "performative")) asked->act = act_of(value);
        read_whole(key, value, "sender", &asked->sender);
        read_whole(key, value, "reply_by", &asked->reply_by);
        read_whole(key, value, "delivery_count", &asked->delivery_count);
        read_text(key, value, "content", BIN, &asked->content);
        read_text(key, value, "protocol", STR, &asked->protocol);
        read_text(key, value, "reply_with", BIN, &asked->reply_with);
        read_text(key, value, "in_reply_to", BIN, &asked->in_reply_to);
        read_text(key, value, "conversation_id", BIN, &asked->conversation_id);
    }
    asked->wants_answer = asked->reply_with.length > 0;
    return from.at == from.end;
}

/* ---------------------------------------------------------------------------------------------------- answering */

ONCE void put_str(const char *text, u32 length) {
    if (length < 32) {
        *to++ = (u8)(0xA0 | length);
    } else {
        *to++ = 0xD9;
        *to++ = (u8)length; /* what an agent reads of texts has at most 255 bytes */
    }
    put(text, length);
}

ONCE void put_key(const char *text) {
    put_str(text, text_length(text));
}

/* One answer: its act, the protocol of what it answers, its content; reply_with where the answer asks for another. */
ONCE void put_answer(const Asked *asked, Act act, const u8 *content, u32 length, const u8 *reply_with) {
    put_key("messages");
    *to++ = 0x91;
    *to++ = (u8)(0x82 + (asked->protocol.length > 0) + (reply_with != 0));
    put_key("performative");
    put_key(ACT_NAMES[act]);
    put_key("content");
    put_bin_head(length);
    put(content, length);
    if (asked->protocol.length > 0) {
        put_key("protocol");
        put_str((const char *)asked->protocol.bytes, asked->protocol.length);
    }
    if (reply_with != 0) {
        put_key("reply_with");
        put_bin_head(16);
        put(reply_with, 16);
    }
}

/* The most bytes that an answer takes beside its content. */
#define MOST_ANSWER 400u

/* An answer, and nothing else of the turn changes. */
ONCE i64 answer(u8 *out, const Asked *asked, Act act, const u8 *content, u32 length) {
    to = out;
    *to++ = 0x81;
    put_answer(asked, act, content, length, 0);
    return response(out, (u32)(to - out));
}

/* An answer, and the state from now on, committed together. */
static inline i64 answer_and_keep(u8 *out, const Asked *asked, Act act, const u8 *content, u32 length, const void *state,
                                  u32 state_length) {
    to = out;
    *to++ = 0x82;
    put_answer(asked, act, content, length, 0);
    put(STATE, LENGTH(STATE));
    put_bin_head(state_length);
    put(state, state_length);
    return response(out, (u32)(to - out));
}

/* A state from now on, and no answer. */
static inline i64 keep(u8 *out, const void *state, u32 state_length) {
    to = out;
    *to++ = 0x81;
    put(STATE, LENGTH(STATE));
    put_bin_head(state_length);
    put(state, state_length);
    return response(out, (u32)(to - out));
}

/* ------------------------------------------------------------------------------------------------- what is said */

/* The whole number behind `"name":` in an object of JSON: 1 if there is one, from 0 to 2^32-1. */
ONCE int json_number(Text text, const char *name, u32 *number) {
    u32 length = text_length(name);
    for (u32 at = 0; at + length + 3 <= text.length; at++) {
        if (text.bytes[at] != '"' || !same(text.bytes + at + 1, (const u8 *)name, length)) continue;
        u32 from = at + 1 + length;
        if (text.bytes[from++] != '"') continue;
        while (from < text.length && (text.bytes[from] == ' ' || text.bytes[from] == ':')) from++;
        u32 end = from;
        while (end < text.length && text.bytes[end] >= '0' && text.bytes[end] <= '9') end++;
        return decimal(text.bytes + from, end - from, number);
    }
    return 0;
}

/* Writes a number in decimal digits at `digits`, which has room for 20; returns how many there are. */
ONCE u32 put_decimal(u8 *digits, u64 value) {
    u8 reversed[20];
    u32 count = 0;
    do {
        reversed[count++] = (u8)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (u32 i = 0; i < count; i++) digits[i] = reversed[count - 1 - i];
    return count;
}

#endif
