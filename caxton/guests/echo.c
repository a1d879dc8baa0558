/* Echo: answers with the content it got.  Encoding: content. */
#include "caxton.h"

EXPORT("handle_message") i64 handle_message(const u8 *message, u32 length) {
    return response(message, length);
}
