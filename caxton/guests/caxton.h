/* What every guest of this folder shares: the ABI's shapes, memory, and nothing of the standard library.
 *
 * One guest is one C file that includes this header and defines `handle_message`. There is one thread, and nothing is
 * ever freed: the in buffer is kept and reused, and what an agent remembers it remembers until its instance ends.
 */
#ifndef CAXTON_H
#define CAXTON_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#define EXPORT(name) __attribute__((export_name(name)))
#define PAGE 65536u
#define CHUNK 4096u

/* ABI v1: they are called by the host and by nobody else. A guest that keeps a state defines the last one too. */
EXPORT("caxton_alloc") u8 *caxton_alloc(u32 size);
EXPORT("handle_message") i64 handle_message(const u8 *message, u32 length);
EXPORT("caxton_init") u32 caxton_init(const u8 *state, u32 length);

/* What handle_message returns when it answers nothing. A negative number is the agent's own error code. */
#define NO_RESPONSE 0

/* What handle_message returns when it answers with `length` bytes at `bytes`; addresses stay below 2 GiB. */
static inline i64 response(const u8 *bytes, u32 length) {
    return (i64)(((u64)(u32)bytes << 32) | length);
}

/* The end of this message, this instance and what it remembers: the host makes a fresh instance for the next one. */
static inline void trap(void) {
    __builtin_trap();
}

/* ---------------------------------------------------------------------------------------------------- memory */

extern u8 __heap_base; /* placed by the linker after the stack and the constants */

static u32 room_start, room_end; /* unused memory: take() cuts from it */

/* The first room is what the linker left of the memory. */
static inline void open_room(void) {
    if (room_end != 0) return;
    room_start = (u32)&__heap_base;
    room_end = __builtin_wasm_memory_size(0) * PAGE;
}

/* Whole new pages at the end of memory, all zero. Traps when the host refuses them. */
static inline u8 *new_pages(u32 bytes) {
    if (bytes > 1u << 30) trap();
    open_room(); /* which ends before these */
    u32 before = __builtin_wasm_memory_grow(0, (bytes + PAGE - 1) / PAGE);
    if (before == (u32)-1) trap();
    return (u8 *)(before * PAGE);
}

/* `size` bytes that stay where they are. Traps when the host refuses the memory. */
static inline u8 *take(u32 size) {
    open_room();
    if (size > room_end - room_start) {
        u32 pages = (u32)new_pages(size);
        if (pages != room_end) room_start = pages; /* what was left before somebody else's pages is given up */
        room_end = __builtin_wasm_memory_size(0) * PAGE;
    }
    u8 *taken = (u8 *)room_start;
    room_start += size;
    return taken;
}

/* The in buffer. It doubles at least, so all that were given up are together no larger than the last one. */
u8 *caxton_alloc(u32 size) {
    static u8 *buffer;
    static u32 capacity;
    if (buffer == 0 || size > capacity) {
        u32 doubled = capacity ? 2 * capacity : CHUNK;
        capacity = size > doubled ? size : doubled;
        buffer = take(capacity);
    }
    return buffer;
}

/* ----------------------------------------------------------------------------------------------------- bytes */

/* The compiler makes one wasm instruction of each (bulk memory). */
static inline void copy(u8 *to, const u8 *from, u32 length) {
    __builtin_memcpy(to, from, length);
}

static inline int same(const u8 *a, const u8 *b, u32 length) {
    for (u32 i = 0; i < length; i++)
        if (a[i] != b[i]) return 0;
    return 1;
}

/* Reads a decimal number that is all of `text`, from 0 to 2^32-1: 1 if it is one, 0 if not. */
static inline int decimal(const u8 *text, u32 length, u32 *number) {
    u64 value = 0;
    if (length == 0 || length > 10) return 0;
    for (u32 i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return 0;
        value = value * 10 + (text[i] - '0');
    }
    *number = (u32)value;
    return value <= 0xFFFFFFFFu;
}

#endif
