/* Words and how often each was counted, in one piece of memory that is an agent's state as it is.
 *
 *   u8 version (1)   u64 words counted in all, little-endian   then for each different word: length, count, the bytes
 *
 * Length and count are numbers of seven bits a byte, the lowest first, all bytes but the last with the top bit set: two
 * bytes beside most words. Words stand in the order in which they came, and are found through an index of offsets that
 * is made anew from the table whenever it no longer fits.
 */
#ifndef TABLE_H
#define TABLE_H

#include "caxton.h"

#define VERSION 1
#define TABLE_HEAD 9u
#define MOST_TABLE 65535u /* so that an offset takes two bytes */
#define FIRST_SLOTS 64u
#define MOST_SLOTS 32768u /* twice as many as there are words in a full table: 250 of one byte, the others of two */

/* One word as it stands in the table. */
typedef struct {
    u64 count;
    const u8 *bytes;
    u32 length;
    u32 count_at; /* offset of the count */
    u32 end;      /* offset of the next word */
} Word;

static u8 *table; /* MOST_TABLE bytes, of which table_size are in use; given by whoever keeps it */
static u32 table_size, distinct;

/* Open addressing with linear probing: the offset of a word, or 0 for a free slot. */
static u16 slots[MOST_SLOTS];
static u32 slot_count; /* a power of two */

static u32 width_of(u64 number) {
    u32 width = 1;
    while (number >>= 7) width++;
    return width;
}

static void write_number(u32 at, u64 number) {
    for (; number >= 0x80; number >>= 7) table[at++] = (u8)(number | 0x80);
    table[at] = (u8)number;
}

/* Reads a number that ends before `end`; returns the offset behind it, or 0 if there is none, or a longer spelling. */
static u32 read_number(u32 at, u32 end, u64 *number) {
    u32 start = at;
    *number = 0;
    for (u32 shift = 0; at < end && shift < 64; shift += 7) {
        u8 byte = table[at++];
        *number |= (u64)(byte & 0x7F) << shift;
        if (byte < 0x80) return at - start == width_of(*number) ? at : 0;
    }
    return 0;
}

/* Reads the word at an offset: 1 if it is all there. */
static int read_word(u32 at, Word *word) {
    u64 length;
    word->count_at = read_number(at, table_size, &length);
    if (word->count_at == 0) return 0;
    u32 start = read_number(word->count_at, table_size, &word->count);
    if (start == 0 || length > table_size - start) return 0;
    word->bytes = table + start;
    word->length = (u32)length;
    word->end = start + word->length;
    return 1;
}

static u64 total(void) {
    u64 words;
    __builtin_memcpy(&words, table + 1, sizeof words);
    return words;
}

static void set_total(u64 words) {
    __builtin_memcpy(table + 1, &words, sizeof words);
}

/* ------------------------------------------------------------------------------------------------------ index */

/* FNV-1a with 64 bits, stirred at the end: the words that come here agree in another hash's remainder already. */
static u32 hash_of(const u8 *bytes, u32 length) {
    u64 hash = 0xCBF29CE484222325u;
    for (u32 i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 0x100000001B3u;
    hash = (hash ^ (hash >> 32)) * 0x9E3779B97F4A7C15u;
    return (u32)(hash >> 32);
}

/* The slot that holds the word, which is read into `word`, or the free one where it belongs. */
static u16 *find(const u8 *bytes, u32 length, Word *word) {
    for (u32 at = hash_of(bytes, length);; at++) {
        u16 *slot = &slots[at & (slot_count - 1)];
        if (*slot == 0) return slot;
        read_word(*slot, word);
        if (word->length == length && same(word->bytes, bytes, length)) return slot;
    }
}

static void fill_index(void) {
    Word word;
    __builtin_memset(slots, 0, slot_count * sizeof *slots);
    for (u32 at = TABLE_HEAD; at < table_size; at = word.end) {
        read_word(at, &word);
        u32 place = hash_of(word.bytes, word.length);
        while (slots[place & (slot_count - 1)] != 0) place++;
        slots[place & (slot_count - 1)] = (u16)at;
    }
}

/* Gives the index more slots when it is half full. */
static void widen_index(void) {
    if (distinct * 2 <= slot_count || slot_count == MOST_SLOTS) return;
    slot_count *= 2;
    fill_index();
}

/* ------------------------------------------------------------------------------------------------------ table */

static void clear_table(void) {
    table[0] = VERSION;
    table_size = TABLE_HEAD;
    distinct = 0;
    set_total(0);
    slot_count = FIRST_SLOTS;
    fill_index();
}

/* Takes over a table as it was: 1 if it is one to the last byte, and its counts add up. */
static int load_table(const u8 *bytes, u32 length) {
    Word word;
    u64 words = 0;
    if (length < TABLE_HEAD || length > MOST_TABLE || bytes[0] != VERSION) return 0;
    copy(table, bytes, length);
    table_size = length;
    for (u32 at = TABLE_HEAD; at < table_size; at = word.end, distinct++) {
        if (!read_word(at, &word) || word.length == 0) return 0;
        words += word.count;
    }
    if (words != total()) return 0;
    slot_count = FIRST_SLOTS;
    while (distinct * 2 > slot_count && slot_count < MOST_SLOTS) slot_count *= 2;
    fill_index();
    return 1;
}

/* Counts a word once more: 0 if the table has no room for it, and then it is as it was. */
static int count(const u8 *bytes, u32 length) {
    Word word;
    u32 room = MOST_TABLE - table_size;
    u16 *slot = find(bytes, length, &word);
    if (*slot == 0) {
        u32 head = width_of(length) + 1;
        if (length > room || head > room - length) return 0;
        *slot = (u16)table_size;
        write_number(table_size, length);
        write_number(table_size + head - 1, 1);
        copy(table + table_size + head, bytes, length);
        table_size += head + length;
        distinct++;
        widen_index();
    } else if (width_of(word.count + 1) == width_of(word.count)) {
        write_number(word.count_at, word.count + 1);
    } else {
        if (room == 0) return 0;
        __builtin_memmove(table + word.count_at + 1, table + word.count_at, table_size - word.count_at);
        table_size++;
        write_number(word.count_at, word.count + 1);
        fill_index(); /* whatever stands behind the word has moved */
    }
    set_total(total() + 1);
    return 1;
}

#endif
