#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proto/link_proto.h"
#include "tests/unit/vectors.h"

static void test_macs(void **state)
{
    (void)state;
    json_t *root = vectors_load("link.json");
    size_t index;
    const json_t *vector;
    json_array_foreach(json_object_get(root, "macs"), index, vector)
    {
        struct blob secret = blob_from_hex(field_text(vector, "secret"));
        struct blob shard = blob_from_hex(field_text(vector, "shard_nonce"));
        struct blob gateway = blob_from_hex(field_text(vector, "gateway_nonce"));
        uint8_t mac[LINK_MAC_LEN];
        uint8_t other[LINK_MAC_LEN];
        uint64_t who = field_u64(vector, "gateway");
        assert_int_equal(link_mac_gateway(secret.data, secret.len, shard.data, gateway.data, who, mac), 0);
        assert_hex_field(vector, "gateway_mac", mac, sizeof mac);
        uint64_t incarnation = field_u64(vector, "incarnation");
        assert_int_equal(link_mac_shard(secret.data, secret.len, gateway.data, shard.data, incarnation, mac), 0);
        assert_hex_field(vector, "shard_mac", mac, sizeof mac);
        // What one side says cannot be said back by the other.
        assert_int_equal(link_mac_gateway(secret.data, secret.len, gateway.data, shard.data, incarnation, other), 0);
        assert_memory_not_equal(mac, other, sizeof mac);
        blob_free(&secret);
        blob_free(&shard);
        blob_free(&gateway);
    }
    assert_true(index > 0);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_macs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
