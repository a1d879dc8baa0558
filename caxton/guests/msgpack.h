/* Reads msgpack value by value, never a byte beyond its end: what does not decode is BROKEN. */
#ifndef MSGPACK_H
#define MSGPACK_H

#include "caxton.h"

/* How deep arrays and maps may lie in each other. */
#define DEEPEST 8

/* Bytes that are still to be read. */
typedef struct {
    const u8 *at, *end;
} Reader;

typedef enum { OTHER, UINT, STR, BIN, ARRAY, MAP, BROKEN } Kind;

/* One value, or the head of an array or a map. `number` is a UINT's value, or how many bytes or elements there are. */
typedef struct {
    Kind kind;
    u64 number;
    const u8 *bytes;
} Value;

static u64 big_endian(const u8 *bytes, u32 count) {
    u64 value = 0;
    for (u32 i = 0; i < count; i++) value = value << 8 | bytes[i];
    return value;
}

static Value broken(void) {
    return (Value){BROKEN, 0, 0};
}

/* A number of `width` bytes that is the value itself or, for the other kinds, the length of what follows. */
static Value sized(Reader *from, Kind kind, u32 width, u32 extra) {
    if ((u32)(from->end - from->at) < width) return broken();
    Value value = {kind, big_endian(from->at, width), 0};
    from->at += width;
    if (kind == UINT || kind == ARRAY || kind == MAP) return value;
    if ((u64)(from->end - from->at) < value.number + extra) return broken();
    value.bytes = from->at;
    from->at += value.number + extra;
    return value;
}

/* Bytes whose number the tag itself tells. */
static Value fixed(Reader *from, Kind kind, u32 length) {
    if ((u32)(from->end - from->at) < length) return broken();
    Value value = {kind, length, from->at};
    from->at += length;
    return value;
}

static Value next(Reader *from) {
    if (from->at == from->end) return broken();
    u8 tag = *from->at++;
    if (tag < 0x80) return (Value){UINT, tag, 0};
    if (tag < 0x90) return (Value){MAP, tag & 0x0F, 0};
    if (tag < 0xA0) return (Value){ARRAY, tag & 0x0F, 0};
    if (tag < 0xC0) return fixed(from, STR, tag & 0x1F);
    if (tag >= 0xE0) return (Value){OTHER, 0, 0}; /* a small negative number */
    switch (tag) {
    case 0xC0: case 0xC2: case 0xC3: return (Value){OTHER, 0, 0}; /* nil, false, true */
    case 0xC4: case 0xC5: case 0xC6: return sized(from, BIN, 1u << (tag - 0xC4), 0);
    case 0xC7: case 0xC8: case 0xC9: return sized(from, OTHER, 1u << (tag - 0xC7), 1); /* ext, with its type */
    case 0xCA: case 0xCB: return fixed(from, OTHER, 4u << (tag - 0xCA)); /* floats */
    case 0xCC: case 0xCD: case 0xCE: case 0xCF: return sized(from, UINT, 1u << (tag - 0xCC), 0);
    case 0xD0: case 0xD1: case 0xD2: case 0xD3: return fixed(from, OTHER, 1u << (tag - 0xD0)); /* signed */
    case 0xD4: case 0xD5: case 0xD6: case 0xD7: case 0xD8: return fixed(from, OTHER, 1 + (1u << (tag - 0xD4)));
    case 0xD9: case 0xDA: case 0xDB: return sized(from, STR, 1u << (tag - 0xD9), 0);
    case 0xDC: case 0xDD: return sized(from, ARRAY, 2u << (tag - 0xDC), 0);
    case 0xDE: case 0xDF: return sized(from, MAP, 2u << (tag - 0xDE), 0);
    default: return broken(); /* 0xC1, which msgpack never uses */
    }
}

/* Passes over what belongs to `value`: 1 if it was all there. Each element takes a byte, so this ends. */
static int skip(Reader *from, Value value, u32 depth) {
    if (value.kind == BROKEN) return 0;
    if (value.kind != ARRAY && value.kind != MAP) return 1;
    if (depth == DEEPEST) return 0;
    u64 elements = value.kind == MAP ? value.number * 2 : value.number;
    while (elements-- > 0)
        if (!skip(from, next(from), depth + 1)) return 0;
    return 1;
}

#endif
