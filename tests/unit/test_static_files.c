#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <zlib.h>

#include "gateway/static_files.h"

static char dir[64];

static void put(const char *name, const char *text, size_t len)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static int make_dir(void **state)
{
    (void)state;
    char path[128];
    strcpy(dir, "/tmp/tessera-static-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/src", dir);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/.hidden", dir);
    return mkdir(path, 0755);
}

static int remove_dir(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static const struct static_file *find(const struct static_files *files, const char *path)
{
    return static_files_find(files, check_guarded(path, strlen(path)), strlen(path));
}

static void unpack(const struct static_file *file, uint8_t *to, size_t size)
{
    z_stream z = {
        .next_in = file->gzip->bytes, .avail_in = (uInt)file->gzip->len, .next_out = to, .avail_out = (uInt)size};
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, size);
    inflateEnd(&z);
}

static void test_table(void **state)
{
    (void)state;
    char text[4000], error[256], link_path[128];
    struct static_files files;
    memset(text, 'a', sizeof text);
    put("index.html", text, sizeof text);
    put("src/main.js", "let a = 1;", 10);
    put("src/main.json", "{}", 2);
    put("Makefile", "x", 1);
    put(".secret.js", "x", 1);
    put(".hidden/a.js", "x", 1);
    put("empty.css", "", 0);
    snprintf(link_path, sizeof link_path, "%s/link.txt", dir);
    assert_int_equal(symlink("/etc/passwd", link_path), 0);

    assert_int_equal(static_files_load(&files, dir, error, sizeof error), 0);
    assert_int_equal(files.count, 3);
    const struct static_file *index = find(&files, "/");
    assert_non_null(index);
    assert_string_equal(index->type, "text/html; charset=utf-8");
    assert_int_equal(index->raw->len, sizeof text);
    assert_non_null(index->gzip);
    uint8_t unpacked[sizeof text];
    unpack(index, unpacked, sizeof unpacked);
    assert_memory_equal(unpacked, text, sizeof text);
    assert_string_not_equal(index->etag, index->gzip_etag);
    assert_int_equal(index->etag[0], '"');

    const struct static_file *script = find(&files, "/src/main.js");
    assert_non_null(script);
    assert_null(script->gzip);
    assert_int_equal(find(&files, "/empty.css")->raw->len, 0);

    const char *const absent[] = {"",
                                  "/index.html",
                                  "/src",
                                  "/src/",
                                  "/src/main.j",
                                  "/src/main.jsx",
                                  "/src/main.json",
                                  "/Makefile",
                                  "/.secret.js",
                                  "/.hidden/a.js",
                                  "/link.txt",
                                  "/../etc/passwd",
                                  "//",
                                  "/src//main.js"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        if (find(&files, absent[i]) != NULL)
            fail_msg("%s", absent[i]);
    static_files_free(&files);
}

// As a release is switched: the folder's name is a link.
static void test_folder_that_is_a_link(void **state)
{
    (void)state;
    char error[256], link_path[128];
    struct static_files files;
    put("index.html", "x", 1);
    put("src/main.js", "x", 1);
    snprintf(link_path, sizeof link_path, "%s/.current", dir);
    assert_int_equal(symlink(dir, link_path), 0);
    assert_int_equal(static_files_load(&files, link_path, error, sizeof error), 0);
    assert_int_equal(files.count, 2);
    assert_non_null(find(&files, "/src/main.js"));
    static_files_free(&files);
}

static void test_no_page(void **state)
{
    (void)state;
    char error[256], nowhere[80];
    struct static_files files;
    snprintf(nowhere, sizeof nowhere, "%s/nowhere", dir);
    assert_int_equal(static_files_load(&files, nowhere, error, sizeof error), ERR_IO);
    assert_int_equal(errno, ENOENT);
    assert_string_equal(error, nowhere);
    static_files_free(&files);
    put("a.js", "x", 1);
    assert_int_equal(static_files_load(&files, dir, error, sizeof error), ERR_NOT_FOUND);
    static_files_free(&files);
}

static void test_bounds(void **state)
{
    (void)state;
    char error[256];
    struct static_files files;
    char *big = calloc(1, STATIC_FILE_SIZE_MAX + 1);
    put("index.html", big, STATIC_FILE_SIZE_MAX + 1);
    assert_int_equal(static_files_load(&files, dir, error, sizeof error), ERR_FULL);
    static_files_free(&files);
    free(big);
    put("index.html", "x", 1);
    for (unsigned i = 1; i <= STATIC_FILES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "f%u.txt", i);
        put(name, "x", 1);
    }
    assert_int_equal(static_files_load(&files, dir, error, sizeof error), ERR_FULL);
    static_files_free(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_table, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_folder_that_is_a_link, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_no_page, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_bounds, make_dir, remove_dir),
    };
    return cmocka_run_group_tests_name("static_files", tests, NULL, NULL);
}
