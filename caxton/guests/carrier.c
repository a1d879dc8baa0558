/* Carrier: bids for freight, and carries what it wins.  Encoding: msgpack.
 *
 *   inform            its tariff, an object of JSON with whole numbers: {"base": …, "per_km": …, "per_kg": …,
 *                     "most_km": …, "most_kg": …}; what it knew before is forgotten. Answers nothing
 *   cfp               a job, {"km": …, "kg": …}: answers propose with the price in decimal digits, base + km * per_km +
 *                     kg * per_kg, or refuse where the job is too far or too heavy, or there is no tariff
 *   accept-proposal   a price: it has carried one more; answers inform with that price
 *   reject-proposal   answers nothing
 *   query-ref         answers inform with {"contracts": …, "earned": …}
 *
 * All else is answered by not-understood; failures are passed over. Tariff, contracts and earnings are its state, so
 * what it was awarded it has carried once, whatever is killed meanwhile. Error codes: -1 no message, or no tariff.
 */
#include "conversation.h"

#define UNREADABLE -1
#define FOREIGN_STATE 1
#define VERSION 1u

/* The state as it is kept: little-endian, as wasm's memory is. */
typedef struct {
    u32 version, base, per_km, per_kg, most_km, most_kg;
    u64 contracts, earned;
} Known;

static Known known;

static u8 out[MOST_ANSWER + 128 + sizeof known];

EXPORT("caxton_init") u32 caxton_init(const u8 *state, u32 length) {
    if (length == 0) return 0;
    if (length != sizeof known) return FOREIGN_STATE;
    __builtin_memcpy(&known, state, sizeof known);
    return known.version == VERSION ? 0 : FOREIGN_STATE;
}

static i64 learn(Text tariff) {
    Known read = {.version = VERSION};
    if (!json_number(tariff, "base", &read.base) || !json_number(tariff, "per_km", &read.per_km) ||
        !json_number(tariff, "per_kg", &read.per_kg) || !json_number(tariff, "most_km", &read.most_km) ||
        !json_number(tariff, "most_kg", &read.most_kg))
        return UNREADABLE;
    known = read;
    return keep(out, &known, sizeof known);
}

static i64 bid(const Asked *asked) {
    u32 km, kg;
    if (known.version != VERSION || !json_number(asked->content, "km", &km) ||
        !json_number(asked->content, "kg", &kg) || km > known.most_km || kg > known.most_kg)
        return answer(out, asked, REFUSE, (const u8 *)"not for me", 10);
    u8 price[20];
    u64 sum = known.base + (u64)km * known.per_km + (u64)kg * known.per_kg;
    return answer(out, asked, PROPOSE, price, put_decimal(price, sum));
}

static i64 carry(const Asked *asked) {
    u32 price;
    if (known.version != VERSION || !decimal(asked->content.bytes, asked->content.length, &price))
        return answer(out, asked, FAILURE, (const u8 *)"that is no price of mine", 24);
    known.contracts += 1;
    known.earned += price;
    return answer_and_keep(out, asked, INFORM, asked->content.bytes, asked->content.length, &known, sizeof known);
}

static i64 tell(const Asked *asked) {
    static const char contracts[] = "{\"contracts\": ", earned[] = ", \"earned\": ";
    u8 text[80], *end = text;
    copy(end, (const u8 *)contracts, LENGTH(contracts));
    end += LENGTH(contracts);
    end += put_decimal(end, known.contracts);
    copy(end, (const u8 *)earned, LENGTH(earned));
    end += LENGTH(earned);
    end += put_decimal(end, known.earned);
    *end++ = '}';
    return answer(out, asked, INFORM, text, (u32)(end - text));
}

i64 handle_message(const u8 *message, u32 length) {
    Asked asked;
    if (!read_asked(message, length, &asked)) return UNREADABLE;
    switch (asked.act) {
    case INFORM: return learn(asked.content);
    case CFP: return bid(&asked);
    case ACCEPT_PROPOSAL: return carry(&asked);
    case QUERY_REF: return tell(&asked);
    case REJECT_PROPOSAL: case FAILURE: case NOT_UNDERSTOOD: return NO_RESPONSE;
    default: return answer(out, &asked, NOT_UNDERSTOOD, (const u8 *)"cfp, accept-proposal, query-ref, inform", 39);
    }
}
