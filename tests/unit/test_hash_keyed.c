#include "common/core/hash_keyed.h"

#include "check.h"

#define KEYS 65536u
#define BUCKETS 1024u

static void test_depends_on_the_bytes_only(void **state)
{
    (void)state;
    uint8_t key[40] = {0}, other[41] = {0};
    for (size_t len = 0; len <= sizeof key; len++)
        assert_int_equal(hash_keyed(check_guarded(key, len), len), hash_keyed(memcpy(other + 1, key, len), len));
    // A longer key of the same zeros is another key, and so is every bit of it.
    for (size_t len = 1; len <= sizeof key; len++) {
        uint32_t plain = hash_keyed(key, len);
        assert_int_not_equal(plain, hash_keyed(key, len - 1));
        key[len - 1] ^= 0x80;
        assert_int_not_equal(plain, hash_keyed(key, len));
        key[len - 1] ^= 0x80;
    }
}

static void spread(const void *keys, size_t len, size_t step)
{
    static uint32_t counts[BUCKETS];
    memset(counts, 0, sizeof counts);
    for (uint32_t i = 0; i < KEYS; i++)
        counts[hash_keyed((const uint8_t *)keys + i * step, len) % BUCKETS]++;
    for (uint32_t i = 0; i < BUCKETS; i++)
        assert_in_range(counts[i], KEYS / BUCKETS / 4, KEYS / BUCKETS * 4);
}

// Also for keys that differ in their highest bits only, where a multiplication by itself is no help.
static void test_spreads(void **state)
{
    (void)state;
    static uint64_t keys[KEYS][2];
    for (uint32_t i = 0; i < KEYS; i++)
        keys[i][0] = i;
    spread(keys, sizeof(uint32_t), sizeof keys[0]);
    spread(keys, sizeof keys[0], sizeof keys[0]);
    for (uint32_t i = 0; i < KEYS; i++)
        keys[i][0] = (uint64_t)i << 48;
    spread(keys, sizeof keys[0], sizeof keys[0]);
    for (uint32_t i = 0; i < KEYS; i++)
        keys[i][1] = (uint64_t)i << 48 | i;
    spread(keys, sizeof keys[0], sizeof keys[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depends_on_the_bytes_only),
        cmocka_unit_test(test_spreads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
