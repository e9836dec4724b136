/* farm: secrets, connection files, certificates, the registry of a user's farms. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/names.h"
#include "farm/address.h"
#include "farm/certs.h"
#include "farm/connection.h"
#include "farm/registry.h"
#include "farm/secret.h"

extern char **environ;

static char dir[64];
static char path[128];
static struct fault f;

static void setup(void)
{
    strcpy(dir, "/tmp/grange-farm-XXXXXX");
    cr_assert(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/c.json", dir);
    setenv("XDG_STATE_HOME", dir, 1);
}

/* run - a program of this machine; its exit code. */
static int run(const char *const argv[])
{
    pid_t pid;
    int status = 0;

    cr_assert_eq(posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ),
                 0, "%s is not there", argv[0]);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void teardown(void)
{
    run((const char *const[]){ "rm", "-rf", dir, NULL });
}

TestSuite(farm, .init = setup, .fini = teardown, .timeout = 300);

static void put(const char *at, const char *text, mode_t mode)
{
    int fd = open(at, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    cr_assert(fd >= 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    cr_assert_eq(fchmod(fd, mode), 0);
    close(fd);
}

static mode_t mode_of(const char *at)
{
    struct stat st;

    cr_assert_eq(stat(at, &st), 0, "%s is not there", at);
    return st.st_mode & 07777;
}

static void contains(const char *part)
{
    cr_assert(strstr(f.text, part), "missing '%s' in: %s", part, f.text);
}

/* ---- secrets */

Test(farm, a_secret_is_private_whatever_the_umask)
{
    mode_t before = umask(0);

    cr_assert_eq(secret_write(path, "x", 1, &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(mode_of(path), 0600);
    umask(0777);
    cr_assert_eq(secret_write(path, "yz", 2, &f), ERR_NONE, "%s", f.text);
    umask(before);
    cr_assert_eq(mode_of(path), 0600);
    struct buf text = { 0 };
    cr_assert_eq(secret_read(path, &text, &f), ERR_NONE, "%s", f.text);
    cr_assert_str_eq(buf_text(&text), "yz");
    buf_fini(&text);
}

Test(farm, a_secret_is_not_written_through_a_link)
{
    char other[160], link_path[160];
    snprintf(other, sizeof other, "%s/other", dir);
    snprintf(link_path, sizeof link_path, "%s.%d.new", path, (int)getpid());

    put(other, "mine", 0644);
    cr_assert_eq(symlink(other, link_path), 0);
    cr_assert_eq(symlink(other, path), 0);
    cr_assert_eq(secret_write(path, "secret", 6, &f), ERR_NONE, "%s", f.text);
    struct buf text = { 0 };
    cr_assert_eq(buf_read_file(&text, other, 100), 0);
    cr_assert_str_eq(buf_text(&text), "mine");
    buf_fini(&text);
}

Test(farm, a_secret_that_others_can_read_is_refused)
{
    static const mode_t wrong[] = { 0640, 0604, 0620, 0602, 0644 };
    struct buf text = { 0 };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        put(path, "x", wrong[i]);
        cr_assert_eq(secret_read(path, &text, &f), ERR_PERMISSION, "mode %o", wrong[i]);
        contains(" holds a secret, and others may read or write it (mode 06");
        contains("make it private: chmod 600");
        contains(path);
    }
    cr_assert_eq(text.n, 0);
    cr_assert_eq(secret_read("/tmp/grange-is-not-there", &text, &f), ERR_NOT_FOUND);
    cr_assert_eq(secret_read(dir, &text, &f), ERR_USAGE, "%s", f.text);
    contains(" is not a file");
    put(path, "", 0600);
    cr_assert_eq(truncate(path, SECRET_BYTES_MAX + 1), 0);
    cr_assert_eq(secret_read(path, &text, &f), ERR_LIMIT);
    contains(" bytes: it is no such file");
    buf_fini(&text);
}

Test(farm, a_secret_of_another_user_is_refused)
{
    struct buf text = { 0 };

    put(path, "x", 0600);
    if (chown(path, 12345, 12345)) /* only root can make the case */
        cr_skip_test("needs root");
    cr_assert_eq(secret_read(path, &text, &f), ERR_PERMISSION);
    contains("belongs to another user (uid 12345): it is not used");
}

Test(farm, a_home_that_is_none_is_refused)
{
    put(path, "x", 0600);
    cr_assert_eq(secret_home(path, &f), ERR_IO);
    contains("c.json' is not a directory");
    strcat(path, "/under");
    cr_assert_eq(secret_home(path, &f), ERR_PERMISSION);
    contains("cannot make the directory '");
    cr_assert_eq(chmod(dir, 0555), 0);
    uid_t me = geteuid();
    cr_assert(me != 0 || setresuid(65534, 65534, 0) == 0); /* access() asks for the real one */
    cr_assert_eq(secret_home(dir, &f), ERR_PERMISSION);
    contains("cannot write in the directory '");
    cr_assert_eq(me == 0 ? setresuid(0, 0, 0) : 0, 0);
    cr_assert_eq(chmod(dir, 0777), 0);
    cr_assert_eq(secret_home(dir, &f), ERR_PERMISSION);
    contains("others may write in the directory ");
}

/* ---- connection files */

static void sample(struct connection *c, struct farm_keys *k)
{
    *c = (struct connection){ .role = CONNECTION_CLIENT,
                              .farm = strdup("lab"),
                              .host = strdup("node1"),
                              .dir = strdup("/x/.grange") };
    cr_assert_eq(certs_make(k, clock_wall_ms(), &f), ERR_NONE, "%s", f.text);
    c->credential =
        (struct credential){ strdup(k->client.ca), strdup(k->client.cert), strdup(k->client.key) };
    connection_add_url(c, "tls+tcp://192.0.2.7:4000", &f);
    connection_add_url(c, "tls+tcp://[2001:db8::7]:4000", &f);
}

Test(farm, a_connection_file_is_read_as_it_was_written)
{
    struct connection c, d;
    struct farm_keys k;

    sample(&c, &k);
    cr_assert_eq(connection_write(path, &c, &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(mode_of(path), 0600);
    cr_assert_eq(connection_read(path, CONNECTION_CLIENT, &d, &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(d.role, CONNECTION_CLIENT);
    cr_assert_str_eq(d.farm, "lab");
    cr_assert_str_eq(d.host, "node1");
    cr_assert_str_eq(d.dir, "/x/.grange");
    cr_assert_eq(d.n_urls, 2);
    cr_assert_str_eq(d.urls[1], "tls+tcp://[2001:db8::7]:4000");
    cr_assert_str_eq(d.credential.ca, c.credential.ca);
    cr_assert_str_eq(d.credential.cert, c.credential.cert);
    cr_assert_str_eq(d.credential.key, c.credential.key);
    connection_fini(&d);
    cr_assert_eq(connection_read(path, CONNECTION_WORKER, &d, &f), ERR_PERMISSION);
    contains("connection file of a client");
    cr_assert_eq(d.n_urls, 0);
    connection_fini(&c);
    farm_keys_fini(&k);
}

Test(farm, what_is_wrong_with_a_connection_file_is_named)
{
    static const struct {
        const char *text;
        enum err err;
        const char *says;
    } cases[] = {
        { "", ERR_MALFORMED, "line 1" },
        { "[]", ERR_MALFORMED, "line 1: a connection file is one JSON object" },
        { "{\"grange\":1,\"grange\":1}", ERR_MALFORMED, "duplicate" },
        { "{}", ERR_MALFORMED, ": field 'grange': is missing: this is no connection file" },
        { "{\"grange\":2}", ERR_VERSION, ": format 2, and this program knows 1: upgrade it" },
        { "{\"grange\":1}", ERR_MALFORMED, "must be \"worker\" or \"client\"" },
        { "{\"grange\":1,\"role\":\"king\"}", ERR_MALFORMED, "'role'" },
        { "{\"grange\":1,\"role\":\"worker\"}", ERR_MALFORMED,
          "field 'urls': must be a list of addresses" },
        { "{\"grange\":1,\"role\":\"worker\",\"urls\":[]}", ERR_MALFORMED, "'urls'" },
        { "{\"grange\":1,\"role\":\"worker\",\"urls\":[\"http://x\"]}", ERR_MALFORMED,
          "every address is ipc://PATH, tcp://HOST:PORT or tls+tcp://HOST:PORT" },
        { "{\"grange\":1,\"role\":\"worker\",\"urls\":[7]}", ERR_MALFORMED, "'urls'" },
        { "{\"grange\":1,\"role\":\"worker\",\"urls\":[\"tcp://a:1\"],\"farm\":3}", ERR_MALFORMED,
          "field 'farm': must be a text that is not empty" },
        { "{\"grange\":1,\"role\":\"worker\",\"urls\":[\"tls+tcp://a:1\"]}", ERR_MALFORMED,
          "field 'ca': is missing, and tls+tcp:// needs it" },
        { "{\"grange\":1,\"role\":\"worker\",\"urls\":[\"tls+tcp://a:1\"],\"ca\":\"x\"}",
          ERR_MALFORMED, "is not in PEM format" },
        { "{\"grange\":1,\"role\":\"worker\",\"urls\":[\"tcp://a:1\",\"tcp://a:1\",\"tcp://a:1\","
          "\"tcp://a:1\",\"tcp://a:1\",\"tcp://a:1\",\"tcp://a:1\",\"tcp://a:1\",\"tcp://a:1\"]}",
          ERR_MALFORMED, "has too many addresses, more than 8" },
    };
    struct connection c;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put(path, cases[i].text, 0600);
        cr_assert_eq(connection_read(path, CONNECTION_ANY, &c, &f), cases[i].err, "%s: %s",
                     cases[i].text, f.text);
        contains(cases[i].says);
        contains(path);
    }
    put(path, "{\"grange\":1,\"role\":\"worker\",\"urls\":[\"tcp://a:1\"]}", 0600);
    cr_assert_eq(connection_read(path, CONNECTION_ANY, &c, &f), ERR_NONE, "%s", f.text);
    cr_assert_null(c.credential.ca);
    for (unsigned i = 1; i < CONNECTION_URLS_MAX; i++)
        cr_assert_eq(connection_add_url(&c, "tcp://a:1", &f), ERR_NONE);
    cr_assert_eq(connection_add_url(&c, "tcp://a:1", &f), ERR_LIMIT);
    contains("more than 8 addresses");
    connection_fini(&c);
}

Test(farm, a_connection_is_found_by_url_file_directory_and_name)
{
    struct connection c;
    char want[128];
    struct farm farm = { .name = "lab", .pid = 7, .started_ms = 1 };

    cr_assert_eq(connection_find("tcp://a:1", CONNECTION_CLIENT, &c, &f), ERR_NONE, "%s", f.text);
    cr_assert_str_eq(c.urls[0], "tcp://a:1");
    connection_fini(&c);
    cr_assert_eq(connection_find("tls+tcp://a:1", CONNECTION_CLIENT, &c, &f), ERR_USAGE);
    contains("connection file");
    cr_assert_eq(connection_find("http://a:1", CONNECTION_CLIENT, &c, &f), ERR_USAGE);
    contains(
        "'http://a:1' is not an address; expected ipc://PATH, tcp://HOST:PORT or a connection");
    cr_assert_eq(connection_find("/nowhere/client.json", CONNECTION_CLIENT, &c, &f), ERR_NOT_FOUND);
    contains("there is no connection file /nowhere/client.json");

    cr_assert_eq(connection_find(dir, CONNECTION_CLIENT, &c, &f), ERR_NONE, "%s", f.text);
    snprintf(want, sizeof want, "ipc://%s/scheduler.sock", dir);
    cr_assert_str_eq(c.urls[0], want);
    connection_fini(&c);

    cr_assert_eq(connection_find("lab", CONNECTION_CLIENT, &c, &f), ERR_NOT_FOUND);
    contains("no farm is called 'lab'");
    snprintf(farm.dir, sizeof farm.dir, "%s", dir);
    snprintf(farm.host, sizeof farm.host, "%s", farm_host());
    cr_assert_eq(registry_add(&farm, &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(connection_find("lab", CONNECTION_CLIENT, &c, &f), ERR_NOT_FOUND);
    contains("the farm 'lab' (/tmp/grange-farm-");
    contains(") is not up");
    char lock[128];
    snprintf(lock, sizeof lock, "%s/lock", dir);
    put(lock, "4711 daemon\n", 0600);
    int fd = open(lock, O_RDWR | O_CLOEXEC);
    cr_assert_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
    cr_assert_eq(connection_find("lab", CONNECTION_CLIENT, &c, &f), ERR_NONE, "%s", f.text);
    cr_assert_str_eq(c.urls[0], want);
    cr_assert_str_eq(c.farm, "lab");
    connection_fini(&c);
    close(fd);
}

/* ---- the registry */

static struct farm farm_at(const char *name, const char *where, const char *host)
{
    struct farm farm = { .pid = 1, .started_ms = 1700000000000 };

    snprintf(farm.name, sizeof farm.name, "%s", name);
    snprintf(farm.dir, sizeof farm.dir, "%s", where);
    snprintf(farm.host, sizeof farm.host, "%s", host);
    return farm;
}

Test(farm, farms_are_listed_by_name_and_told_apart)
{
    struct farm *farms, one, up, down = farm_at("beta", "/nowhere", farm_host()),
                                 away = farm_at("alpha", "/there", "another-host");
    size_t n;
    char lock[128];

    cr_assert_eq(registry_list(&farms, &n, &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(n, 0);
    up = farm_at("gamma", dir, farm_host());
    snprintf(lock, sizeof lock, "%s/lock", dir);
    put(lock, "4711 daemon\n", 0600);
    int fd = open(lock, O_RDWR | O_CLOEXEC);
    cr_assert_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
    cr_assert_eq(registry_add(&up, &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(registry_add(&down, &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(registry_add(&away, &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(registry_list(&farms, &n, &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(n, 3);
    cr_assert_str_eq(farms[0].name, "alpha");
    cr_assert_eq(farms[0].state, FARM_ELSEWHERE);
    cr_assert_eq(farms[1].state, FARM_DOWN);
    cr_assert_eq(farms[1].started_ms, 1700000000000);
    cr_assert_eq(farms[2].state, FARM_UP);
    cr_assert_eq(farms[2].pid, 4711, "the lock knows better than the entry");
    free(farms);

    struct farm other = farm_at("gamma", "/elsewhere", farm_host());
    cr_assert_eq(registry_add(&other, &f), ERR_EXISTS);
    contains("there is a farm 'gamma' already, in /tmp/");
    contains(dir);
    close(fd);
    cr_assert_eq(registry_add(&other, &f), ERR_NONE, "one that is down gives way: %s", f.text);
    cr_assert_eq(registry_remove("gamma", &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(registry_remove("gamma", &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(registry_find("gamma", &one, &f), ERR_NOT_FOUND);
    contains("alpha, beta");
}

Test(farm, entries_that_are_not_as_they_should_be_are_said)
{
    struct farm farm = farm_at("\xff", "/x\xff", farm_host()), one;
    char at[200], home[5000] = "/";

    cr_assert_eq(registry_add(&farm, &f), ERR_USAGE);
    farm = farm_at("lab", "/x\xff", farm_host());
    cr_assert_eq(registry_add(&farm, &f), ERR_USAGE);
    contains("the directory '/x\xff' has a name that is not UTF-8");
    farm = farm_at("lab", "/x", farm_host());
    cr_assert_eq(registry_add(&farm, &f), ERR_NONE, "%s", f.text);
    snprintf(at, sizeof at, "%s/grange/farms/lab.json", dir);
    put(at, "{\"name\": \"lab\"}", 0600);
    cr_assert_eq(registry_find("lab", &one, &f), ERR_MALFORMED);
    contains("lab.json: no entry of a farm: name, host or dir is missing");
    cr_assert_eq(unlink(at) || mkdir(at, 0700), 0);
    cr_assert_eq(registry_remove("lab", &f), ERR_PERMISSION);
    contains("cannot remove /tmp/");
    memset(home + 1, 'h', 4075);
    setenv("XDG_STATE_HOME", home, 1);
    cr_assert_eq(registry_remove("lab-of-a-long-name-in-a-long-directory", &f), ERR_LIMIT);
    contains("the path of the farms of this user is too long");
}

Test(farm, names_that_are_paths_are_refused)
{
    static const char *const wrong[] = { "", ".", "..", "../x", "a/b", "-x", ".x", "a b", "\n" };
    struct farm farm;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_eq(registry_name_ok(wrong[i], &f), ERR_USAGE, "%s", wrong[i]);
        cr_assert_eq(registry_find(wrong[i], &farm, &f), ERR_USAGE, "%s", wrong[i]);
    }
    cr_assert_eq(registry_name_ok("lab-2.x_y", &f), ERR_NONE);
}

/* ---- certificates, judged by another implementation */

static void put_part(const char *name, const char *text, char *at)
{
    snprintf(at, 128, "%s/%s.pem", dir, name);
    put(at, text, 0600);
}

static int verify(const char *ca, const char *cert, const char *purpose, const char *name)
{
    return run((const char *const[]){ "openssl", "verify", "-x509_strict", "-purpose", purpose,
                                      "-CAfile", ca, name ? "-verify_hostname" : cert,
                                      name ? name : NULL, cert, NULL });
}

Test(farm, certificates_serve_for_their_role_only)
{
    struct farm_keys k;
    char server[128], worker[128], client[128], ca_server[128], ca_worker[128], ca_client[128];

    cr_assert_eq(certs_make(&k, clock_wall_ms(), &f), ERR_NONE, "%s", f.text);
    put_part("server", k.for_workers.cert, server);
    put_part("worker", k.worker.cert, worker);
    put_part("client", k.client.cert, client);
    put_part("ca_server", k.worker.ca, ca_server);
    put_part("ca_worker", k.for_workers.ca, ca_worker);
    put_part("ca_client", k.for_clients.ca, ca_client);
    cr_assert_str_eq(k.worker.ca, k.client.ca);
    cr_assert_eq(verify(ca_server, server, "sslserver", GRANGE_SERVER_NAME), 0);
    cr_assert_eq(verify(ca_worker, worker, "sslclient", NULL), 0);
    cr_assert_eq(verify(ca_client, client, "sslclient", NULL), 0);
    cr_assert_neq(verify(ca_server, server, "sslserver", "other.grange"), 0);
    cr_assert_neq(verify(ca_server, server, "sslclient", NULL), 0);
    cr_assert_neq(verify(ca_server, worker, "sslclient", NULL), 0);
    cr_assert_neq(verify(ca_worker, client, "sslclient", NULL), 0);
    cr_assert_neq(verify(ca_client, worker, "sslclient", NULL), 0);
    cr_assert_neq(verify(ca_worker, worker, "sslserver", NULL), 0);
    farm_keys_fini(&k);
}

Test(farm, keys_are_made_once_and_kept_private)
{
    struct farm_keys k, again;
    char at[128];

    cr_assert_eq(certs_open(dir, &k, &f), ERR_NONE, "%s", f.text);
    snprintf(at, sizeof at, "%s/keys.json", dir);
    cr_assert_eq(mode_of(at), 0600);
    cr_assert_eq(certs_open(dir, &again, &f), ERR_NONE, "%s", f.text);
    cr_assert_str_eq(k.client.key, again.client.key);
    cr_assert_str_eq(k.for_workers.ca, again.for_workers.ca);
    cr_assert_str_neq(k.client.key, k.worker.key);
    farm_keys_fini(&again);
    cr_assert_eq(chmod(at, 0644), 0);
    cr_assert_eq(certs_open(dir, &again, &f), ERR_PERMISSION, "%s", f.text);
    put(at, "{\"for_workers\":{\"ca\":\"x\"}}", 0600);
    cr_assert_eq(certs_open(dir, &again, &f), ERR_DAMAGED);
    contains("field 'for_workers' is missing or not whole; remove the file and new keys are made");
    farm_keys_fini(&k);
}

/* ---- where a scheduler listens */

Test(farm, an_address_is_taken_apart)
{
    const struct {
        const char *url, *host;
        enum address_kind kind;
        unsigned port;
    } good[] = {
        { "tls+tcp://0.0.0.0:7777", "0.0.0.0", ADDRESS_TLS, 7777 },
        { "tls+tcp://[::1]:0", "[::1]", ADDRESS_TLS, 0 },
        { "tls+tcp://node-1.lab:65534", "node-1.lab", ADDRESS_TLS, 65534 },
        { "tcp://*:65535", "*", ADDRESS_TCP, 65535 },
        { "ipc:///tmp/a b", "", ADDRESS_IPC, 0 },
    };
    struct address a;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert_eq(address_parse(good[i].url, &a, &f), ERR_NONE, "%s", f.text);
        cr_assert_eq(a.kind, good[i].kind);
        cr_assert_str_eq(a.host, good[i].host);
        cr_assert_eq(a.port, good[i].port);
    }
    cr_assert_str_eq(a.path, "/tmp/a b");
}

Test(farm, an_address_that_is_none_is_a_wrong_word)
{
    static const char *const bad[] = {
        "tls+tcp://",
        "tls+tcp://h",
        "tls+tcp://h:",
        "tls+tcp://:1",
        "tls+tcp://h:x",
        "tls+tcp://h:1x",
        "tls+tcp://h:-1",
        "tls+tcp://h:65535",
        "tcp://h:65536",
        "tcp://h:99999999",
        "tcp://h:184467440737",
        "tcp://::1:0",
        "tcp://[::1:0",
        "tcp://[]:0",
        "tcp://[::g]:0",
        "tcp://h:0/",
        "tcp://user@h:0",
        "tcp://h i:0",
        "ipc://",
        "http://h:0",
        "127.0.0.1:0",
        "",
        "udp",
        "tls+tcp:h:0",
    };
    struct address a;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(address_parse(bad[i], &a, &f), ERR_USAGE, "'%s' was taken", bad[i]);
        contains("--listen ");
        contains(bad[i]);
    }
    cr_assert_eq(address_parse("tcp://h", &a, &f), ERR_USAGE);
    contains("expected tcp://HOST:PORT, with an IPv6 host in brackets and port 0 for any");
    cr_assert_eq(address_parse("tcp://h:65536", &a, &f), ERR_USAGE);
    contains("--listen tcp://h:65536: ports are 1 to 65535, or 0 for any");
    cr_assert_eq(address_parse("tls+tcp://h:65535", &a, &f), ERR_USAGE);
    contains("the workers' port would be 65536");
}
