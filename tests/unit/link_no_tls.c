/* link_no_tls: a libnng that was built without an engine for TLS, which answers as here. */
#include <criterion/criterion.h>
#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <string.h>

#include "proto/link.h"

int nng_tls_config_alloc(nng_tls_config **config, nng_tls_mode mode)
{
    (void)config;
    (void)mode;
    return NNG_ENOTSUP;
}

Test(link_no_tls, says_what_is_missing)
{
    struct link_credentials with = { "ca", "cert", "key" };
    struct link *l = link_new();
    struct fault f;

    cr_expect_eq(link_listen(l, "tls+tcp://127.0.0.1:0", 1, &with, &f), ERR_IO);
    cr_expect_str_eq(f.text, "tls+tcp://127.0.0.1:0: this libnng was built without TLS");
    cr_expect_eq(link_dial(l, "tls+tcp://127.0.0.1:1", &with, &f), ERR_IO);
    cr_expect(strstr(f.text, "was built without TLS"), "%s", f.text);
    link_free(l);
}
