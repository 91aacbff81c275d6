/* The one place with state of its own: code of every layer asks here, and has nothing to ask with.
 */
#include "tests/sim/buggify.h"

#include "common/base/prng.h"

#define ON_IN   4u      /* Each point is on in one run of so many ... */
#define MOSTLY  300000u /* ... and then taken this often in a million at most. */
#define MILLION 1000000u

/* Each point draws for itself: what memory does, which depends on the order in which a compiler
 * evaluates arguments, must not decide about anything else. */
static struct {
    struct prng prng[BUGGIFY_N];
    bool calm;
    unsigned ppm[BUGGIFY_N];
    uint64_t count[BUGGIFY_N];
} state = {.calm = true};

void buggify_begin(uint64_t seed)
{
    struct prng p;
    prng_init(&p, seed ^ UINT64_C(0xb492b66fbe98f273));
    state.calm = false;
    for (unsigned i = 0; i < BUGGIFY_N; i++) {
        state.ppm[i] =
            prng_below(&p, ON_IN) != 0 ? 0 : 10000 + (unsigned)prng_below(&p, MOSTLY - 10000);
        prng_init(&state.prng[i], prng_u64(&p));
    }
}

void buggify_calm(bool calm)
{
    state.calm = calm;
}

uint64_t buggify_count(enum buggify point)
{
    return state.count[point];
}

const char *buggify_text(enum buggify point)
{
    static const char *const texts[] = {
#define BUGGIFY_TEXT(name, text) text,
        BUGGIFY_TABLE(BUGGIFY_TEXT)
#undef BUGGIFY_TEXT
    };
    return texts[point];
}

#ifdef SIMULATION
bool buggify(enum buggify point)
{
    if (state.calm || state.ppm[point] == 0 ||
        prng_below(&state.prng[point], MILLION) >= state.ppm[point]) {
        return false;
    }
    state.count[point]++;
    return true;
}

bool buggify_is_built(void)
{
    return true;
}
#else
bool buggify_is_built(void)
{
    return false;
}
#endif
