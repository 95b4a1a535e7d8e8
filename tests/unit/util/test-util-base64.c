/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base64: what openssl and coreutils write, back again, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "util/base64.h"

static void test_known(void **state) {
    /* RFC 4648, 10 */
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};

    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        CLEANUP_FREE char *text = base64_encode(pairs[i][0], strlen(pairs[i][0]));
        CLEANUP_FREE uint8_t *bytes = NULL;
        size_t n = 0;

        assert_string_equal(text, pairs[i][1]);
        assert_int_equal(base64_decode(text, &bytes, &n), 0);
        assert_int_equal(n, strlen(pairs[i][0]));
        assert_string_equal((char *)bytes, pairs[i][0]);
    }
}

static void test_all_bytes(void **state) {
    uint8_t all[256];

    for (size_t n = 0; n <= sizeof(all); n++) {
        CLEANUP_FREE uint8_t *bytes = NULL;
        CLEANUP_FREE char *text = NULL;
        size_t back = 0;

        for (size_t i = 0; i < n; i++)
            all[i] = (uint8_t)(i * 7 + n);
        text = base64_encode(all, n);
        assert_int_equal(base64_decode(text, &bytes, &back), 0);
        assert_int_equal(back, n);
        assert_memory_equal(bytes, all, n);
    }
}

static void test_none(void **state) {
    static const char *const texts[] = {"Z",      "Zg",   "Zg=",  "Zg===",   "Z===", "====",
                                        "Zg==Zg", "Z=g=", "Zm9!", "Zm9\x80", "=Zm9", "Zm9vZ"};
    uint8_t *bytes = NULL;
    size_t n;

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_int_equal(base64_decode(texts[i], &bytes, &n), -EINVAL);
    assert_null(bytes);
    assert_int_equal(base64_decode(" Zm9v\r\nYmE=\n", &bytes, &n), 0);
    assert_string_equal((char *)bytes, "fooba");
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_all_bytes),
        cmocka_unit_test(test_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
