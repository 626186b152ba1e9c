#include "common/io/conf_value.h"

#include "common/io/sock.h"

#include <inttypes.h>
#include <string.h>

// ---- Numbers -------------------------------------------------------------------------------------------------------

// Digits at `*at`, moved behind them. ERR_MALFORMED for none, ERR_RANGE beyond 63 bits.
static int read_digits(const char **at, int64_t *value)
{
    const char *start = *at;
    *value = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        if (__builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, **at - '0', value))
            return ERR_RANGE;
    }
    return *at == start ? ERR_MALFORMED : 0;
}

int conf_text_int(const char *text, int64_t *value)
{
    bool negative = *text == '-';
    if (negative)
        text++;
    int err = read_digits(&text, value);
    if (err != 0)
        return err;
    if (*text != '\0')
        return ERR_MALFORMED;
    if (negative)
        *value = -*value;
    return 0;
}

struct unit {
    const char *name;
    int64_t factor;
};

static int read_with_unit(const char *text, const struct unit *units, size_t count, int64_t *value)
{
    int err = read_digits(&text, value);
    if (err != 0)
        return err;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, units[i].name) == 0)
            return __builtin_mul_overflow(*value, units[i].factor, value) ? ERR_RANGE : 0;
    }
    return ERR_MALFORMED;
}

static const struct unit durations[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
static const struct unit sizes[] = {{"", 1}, {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
#define COUNT(array_) (sizeof(array_) / sizeof(array_)[0])

int conf_text_duration_ms(const char *text, int64_t *ms)
{
    // Only zero is the same in all units.
    if (strcmp(text, "0") == 0) {
        *ms = 0;
        return 0;
    }
    return read_with_unit(text, durations, COUNT(durations), ms);
}

int conf_text_size(const char *text, int64_t *bytes)
{
    return read_with_unit(text, sizes, COUNT(sizes), bytes);
}

void conf_value_text(const struct conf_option *option, int64_t value, char text[CONF_VALUE_TEXT_SIZE])
{
    const struct unit *units = option->type == CONF_DURATION ? durations : sizes;
    size_t at = option->type == CONF_DURATION ? COUNT(durations) : option->type == CONF_SIZE ? COUNT(sizes) : 0;
    while (at > 0 && (value == 0 || value % units[at - 1].factor != 0))
        at--;
    snprintf(text, CONF_VALUE_TEXT_SIZE, "%" PRId64 "%s", at > 0 ? value / units[at - 1].factor : value,
             at > 0 ? units[at - 1].name : "");
}

// ---- Kinds ---------------------------------------------------------------------------------------------------------

static bool limited(const struct conf_option *option)
{
    return option->min != 0 || option->max != 0;
}

static int set_number(const struct conf_option *option, void *field, const char *text, char *why, size_t why_size)
{
    static const char *const kinds[] = {
        [CONF_INT] = "a whole number",
        [CONF_DURATION] = "a duration like 250ms, 5s, 3m, 2h or 0",
        [CONF_SIZE] = "a size like 512, 64KiB, 64MiB or 2GiB",
    };
    int64_t value;
    int err = option->type == CONF_INT        ? conf_text_int(text, &value)
              : option->type == CONF_DURATION ? conf_text_duration_ms(text, &value)
                                              : conf_text_size(text, &value);
    if (err == 0 && limited(option) && (value < option->min || value > option->max))
        err = ERR_RANGE;
    if (err == 0) {
        memcpy(field, &value, sizeof value);
        return 0;
    }
    char min[CONF_VALUE_TEXT_SIZE], max[CONF_VALUE_TEXT_SIZE];
    conf_value_text(option, option->min, min);
    conf_value_text(option, option->max, max);
    if (limited(option))
        snprintf(why, why_size, "%s, from %s to %s", kinds[option->type], min, max);
    else
        snprintf(why, why_size, "%s", kinds[option->type]);
    return err;
}

static int set_bool(void *field, const char *text, char *why, size_t why_size)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *(bool *)field = i % 2 == 1;
            return 0;
        }
    }
    snprintf(why, why_size, "true or false");
    return ERR_MALFORMED;
}

static int set_enum(const struct conf_option *option, void *field, const char *text, char *why, size_t why_size)
{
    size_t len = strlen(text);
    int index = 0;
    for (const char *at = option->choices; *at != '\0'; index++) {
        size_t choice_len = strcspn(at, "|");
        if (choice_len == len && memcmp(at, text, len) == 0) {
            memcpy(field, &index, sizeof index);
            return 0;
        }
        at += choice_len + (at[choice_len] == '|');
    }
    snprintf(why, why_size, "one of %s", option->choices);
    return ERR_MALFORMED;
}

static int set_cidrs(void *field, const char *text, char *why, size_t why_size)
{
    struct addr_list list;
    int err = addr_list_parse(&list, text, strlen(text));
    if (err == 0)
        memcpy(field, &list, sizeof list);
    else
        snprintf(why, why_size, "networks like 10.0.0.0/8,::1/128, at most %d", ADDR_LIST_MAX);
    return err;
}

int conf_value_check(const struct conf_option *option, const char *text, char *why, size_t why_size)
{
    size_t len = strlen(text);
    if (!limited(option) || (len >= (size_t)option->min && len <= (size_t)option->max))
        return 0;
    snprintf(why, why_size, "%" PRId64 " to %" PRId64 " characters", option->min, option->max);
    return ERR_RANGE;
}

static int set_address(const struct conf_option *option, void *field, const char *text, char *why, size_t why_size)
{
    static const char off[] = "";
    char host[SOCK_HOST_SIZE];
    uint16_t port;
    if (text[0] == '\0' || strcmp(text, "off") == 0)
        text = off;
    else if (sock_split(text, host, &port) != 0) {
        snprintf(why, why_size, "an address like 127.0.0.1:8080, [::1]:8080, :8080 or name:8080, or off");
        return ERR_MALFORMED;
    }
    (void)option;
    memcpy(field, &text, sizeof text);
    return 0;
}

int conf_value_set(const struct conf_option *option, void *target, const char *text, char *why, size_t why_size)
{
    void *field = (char *)target + option->offset;
    int err;
    switch (option->type) {
    case CONF_BOOL:
        return set_bool(field, text, why, why_size);
    case CONF_INT:
    case CONF_DURATION:
    case CONF_SIZE:
        return set_number(option, field, text, why, why_size);
    case CONF_ENUM:
        return set_enum(option, field, text, why, why_size);
    case CONF_CIDRS:
        return set_cidrs(field, text, why, why_size);
    case CONF_ADDRESS:
        return set_address(option, field, text, why, why_size);
    case CONF_STRING:
    case CONF_PATH:
    case CONF_SECRET:
        err = conf_value_check(option, text, why, why_size);
        if (err == 0)
            memcpy(field, &text, sizeof text);
        return err;
    }
    return ERR_MALFORMED;
}
