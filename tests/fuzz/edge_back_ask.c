// Questions of the edge to Redis and for contents, of edge_back.h.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/content.h"
#include "gateway/store.h"
#include "tests/fuzz/edge_back.h"
#include "tests/fuzz/edge_back_impl.h"

enum kind { ASKED_USER, ASKED_NAMES, ASKED_RENAME, ASKED_ERASE, ASKED_PIXEL, ASKED_HEAT, ASKED_CONTENT };

struct content_request {
    enum kind kind;
    union {
        store_user_cb user;
        store_names_cb names;
        store_rename_cb rename;
        store_erase_cb erase;
        store_pixel_cb pixel;
        store_heat_cb heat;
        content_cb content;
    } cb;
    void *arg;
    size_t count; // of names; most placements
    struct content_request *next;
};

static struct content_request *waiting; // list, the oldest first

static struct content_request *ask(enum kind kind, void *arg)
{
    struct content_request *question = calloc(1, sizeof *question), **last = &waiting;
    if (question == NULL)
        abort();
    question->kind = kind;
    question->arg = arg;
    while (*last != NULL)
        last = &(*last)->next;
    return *last = question;
}

static void unlink_question(struct content_request *question)
{
    struct content_request **at = &waiting;
    while (*at != NULL && *at != question)
        at = &(*at)->next;
    FUZZ_CHECK(*at != NULL); // cancelled twice, or after its answer
    *at = question->next;
}

void store_user(struct store *store, uint64_t user, store_user_cb cb, void *arg)
{
    (void)store;
    FUZZ_CHECK(user != 0);
    ask(ASKED_USER, arg)->cb.user = cb;
}

void store_names(struct store *store, const uint64_t *users, size_t count, store_names_cb cb, void *arg)
{
    (void)store;
    (void)users;
    FUZZ_CHECK(count <= STORE_NAMES_MAX);
    struct content_request *question = ask(ASKED_NAMES, arg);
    question->cb.names = cb;
    question->count = count;
}

void store_rename(struct store *store, const struct store_rename *rename, store_rename_cb cb, void *arg)
{
    (void)store;
    FUZZ_CHECK(rename->name[0] == '\0' || name_check(rename->name, strlen(rename->name)) == NAME_OK);
    ask(ASKED_RENAME, arg)->cb.rename = cb;
}

void store_erase(struct store *store, uint64_t user, const char *old, store_erase_cb cb, void *arg)
{
    (void)store;
    (void)old;
    FUZZ_CHECK(user != 0);
    ask(ASKED_ERASE, arg)->cb.erase = cb;
}

void store_pixel(struct store *store, const struct store_pixel_asked *asked, store_pixel_cb cb, void *arg)
{
    (void)store;
    FUZZ_CHECK(geom_has_offset(&edge_facts.config.geom, asked->tile, asked->offset));
    FUZZ_CHECK(asked->limit <= STORE_PLACEMENTS_MAX);
    struct content_request *question = ask(ASKED_PIXEL, arg);
    question->cb.pixel = cb;
    question->count = asked->limit;
}

void store_heat(struct store *store, store_heat_cb cb, void *arg)
{
    (void)store;
    ask(ASKED_HEAT, arg)->cb.heat = cb;
}

void content_configure(struct content *content, const struct canvas_config *config)
{
    (void)content;
    (void)config;
}

struct content_request *content_get(struct content *content, const struct content_part *part, content_cb cb, void *arg)
{
    (void)content;
    if (part->kind == CONTENT_TILE && part->tile.ty == 7) { // some answers come at once
        cb(ERR_TIMEOUT, NULL, arg);
        return NULL;
    }
    struct content_request *question = ask(ASKED_CONTENT, arg);
    question->cb.content = cb;
    return question;
}

void content_cancel(struct content_request *question)
{
    unlink_question(question);
    free(question);
}

// ---- Answers --------------------------------------------------------------------------------------------------------

static struct store_name some_name(struct fuzz_in *in)
{
    static const char *const texts[] = {"", "Ann", "Jörg_2", "ليلى", "小林"};
    struct store_name name = {.changed_ms = fuzz_u8(in), .erased = fuzz_u8(in) == 1};
    if (!name.erased)
        snprintf(name.text, sizeof name.text, "%s", texts[fuzz_below(in, 5)]);
    return name;
}

static void answer_user(const struct content_request *question, int err, struct fuzz_in *in)
{
    const struct store_user user = {
        .record = {.nonce = fuzz_u8(in), .landed_ms = fuzz_u64(in)}, .name = some_name(in), .now_ms = fuzz_u64(in)};
    question->cb.user(err, err == 0 ? &user : NULL, question->arg);
}

static void answer_names(const struct content_request *question, int err, struct fuzz_in *in)
{
    struct store_name names[STORE_NAMES_MAX] = {0};
    for (size_t i = 0; i < question->count; i++)
        names[i] = some_name(in);
    question->cb.names(err, err == 0 ? names : NULL, question->count, question->arg);
}

static void answer_pixel(const struct content_request *question, int err, struct fuzz_in *in)
{
    struct store_pixel pixel = {.now_ms = fuzz_u32(in), .color = fuzz_u8(in), .next = fuzz_u8(in)};
    pixel.count = fuzz_below(in, STORE_PLACEMENTS_MAX + 1);
    if (pixel.count > question->count)
        pixel.count = question->count;
    for (size_t i = 0; i < pixel.count; i++)
        pixel.placements[i] = (struct store_placement){
            .seq = fuzz_u8(in), .color = fuzz_u8(in), .user = fuzz_u8(in), .time_ms = fuzz_u8(in)};
    question->cb.pixel(err, err == 0 ? &pixel : NULL, question->arg);
}

static void answer_heat(const struct content_request *question, int err, struct fuzz_in *in)
{
    struct store_heat heat = {.count = fuzz_below(in, STORE_HEAT_MAX + 1)};
    for (size_t i = 0; i < heat.count; i++) {
        heat.tiles[i].tile = (struct tile){UINT16_MAX, fuzz_u8(in)};
        heat.tiles[i].heat = fuzz_u8(in) == 0 ? 1099511627776.0 : 0.5;
    }
    question->cb.heat(err, err == 0 ? &heat : NULL, question->arg);
}

static void answer_content(const struct content_request *question, int err, struct fuzz_in *in)
{
    static const size_t lens[] = {0, 1, 4096, 70000, 200000};
    struct shared_buf *bytes = shared_buf_new(lens[fuzz_below(in, 5)]);
    if (bytes == NULL)
        abort();
    memset(bytes->bytes, 'c', bytes->len);
    const struct content_body body = {
        .bytes = bytes, .etag = "\"7-9-raw\"", .position = fuzz_u8(in) == 0 ? "7-9" : NULL, .gzip = fuzz_u8(in) == 0};
    question->cb.content(err, err == 0 ? &body : NULL, question->arg);
    shared_buf_unref(bytes);
}

static void answer(struct content_request *question, struct fuzz_in *in)
{
    static const int errs[8] = {0, 0, 0, 0, 0, ERR_CLOSED, ERR_FULL, ERR_RANGE};
    int err = errs[fuzz_u8(in) % 8];
    unlink_question(question);
    switch (question->kind) {
    case ASKED_USER:
        answer_user(question, err, in);
        break;
    case ASKED_NAMES:
        answer_names(question, err, in);
        break;
    case ASKED_RENAME:
        question->cb.rename(err, (enum store_renamed)fuzz_below(in, STORE_RENAME_CHANGED + 1), fuzz_u32(in),
                            question->arg);
        break;
    case ASKED_ERASE:
        question->cb.erase(err, fuzz_u8(in) == 1, question->arg);
        break;
    case ASKED_PIXEL:
        answer_pixel(question, err, in);
        break;
    case ASKED_HEAT:
        answer_heat(question, err, in);
        break;
    case ASKED_CONTENT:
        answer_content(question, err, in);
        break;
    }
    free(question);
}

bool edge_back_answer(struct fuzz_in *in)
{
    struct content_request *question = waiting;
    if (question == NULL)
        return false;
    for (unsigned skip = fuzz_u8(in) % 4; skip > 0 && question->next != NULL; skip--)
        question = question->next;
    answer(question, in);
    return true;
}

// With what the edge remembers of each.
size_t edge_back_question_bytes(void)
{
    size_t bytes = 0;
    for (const struct content_request *at = waiting; at != NULL; at = at->next)
        bytes += sizeof *at + 8192;
    return bytes;
}

void edge_back_questions_end(void)
{
    struct fuzz_in nothing = {0};
    // An answer may make somebody ask again, three times at most.
    for (unsigned i = 0; i < 10000 && waiting != NULL; i++)
        answer(waiting, &nothing);
    FUZZ_CHECK(waiting == NULL);
}
