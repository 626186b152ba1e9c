#include "common/io/metrics.h"

#include <event2/buffer.h>
#include <stdbool.h>
#include <string.h>

// Bounds of histogram buckets that are shown: powers of two, in the unit of the recorded values. In microseconds this
// is from 1 µs to 134 s.
#define POWER_MIN 0
#define POWER_MAX 27

void metrics_init(struct metrics *metrics)
{
    metrics->count = 0;
}

static bool name_valid(const char *name)
{
    for (const char *c = name; *c != '\0'; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || *c == '_';
        bool digit = *c >= '0' && *c <= '9';
        if (!letter && !(digit && c != name))
            return false;
    }
    return name[0] != '\0';
}

static bool row_valid(const struct metrics_row *row)
{
    if (!name_valid(row->name) || strpbrk(row->help, "\n\\") != NULL)
        return false;
    if (row->type == METRICS_HIST)
        return row->value != NULL;
    return row->value != NULL || row->read != NULL;
}

int metrics_add(struct metrics *metrics, const struct metrics_row *rows, size_t count)
{
    if (count > METRICS_ROWS_MAX - metrics->count)
        return ERR_FULL;
    for (size_t i = 0; i < count; i++) {
        if (!row_valid(&rows[i]))
            return ERR_MALFORMED;
    }
    memcpy(&metrics->rows[metrics->count], rows, count * sizeof *rows);
    metrics->count += count;
    return 0;
}

static double scale_of(const struct metrics_row *row)
{
    return row->scale != 0 ? row->scale : 1;
}

// `name_bucket{labels,le="0.1"} 7`
static bool write_bucket(const struct metrics_row *row, struct evbuffer *out, const char *bound, uint64_t count)
{
    const char *labels = row->labels != NULL ? row->labels : "";
    return evbuffer_add_printf(out, "%s_bucket{%s%sle=\"%s\"} %llu\n", row->name, labels, labels[0] != '\0' ? "," : "",
                               bound, (unsigned long long)count) >= 0;
}

// `name{labels} value`, with a suffix to the name.
static bool write_sample(const struct metrics_row *row, struct evbuffer *out, const char *suffix, double value)
{
    bool labelled = row->labels != NULL && row->labels[0] != '\0';
    return evbuffer_add_printf(out, "%s%s%s%s%s %.16g\n", row->name, suffix, labelled ? "{" : "",
                               labelled ? row->labels : "", labelled ? "}" : "", value) >= 0;
}

static bool write_hist(const struct metrics_row *row, struct evbuffer *out)
{
    const struct hist *hist = row->value;
    for (unsigned power = POWER_MIN; power <= POWER_MAX; power++) {
        char bound[32];
        double most = (double)(((uint64_t)1 << power) - 1);
        evutil_snprintf(bound, sizeof bound, "%.9g", most * scale_of(row));
        if (!write_bucket(row, out, bound, hist_count_below_pow2(hist, power)))
            return false;
    }
    return write_bucket(row, out, "+Inf", hist->count) &&
           write_sample(row, out, "_sum", (double)hist->sum * scale_of(row)) &&
           write_sample(row, out, "_count", (double)hist->count);
}

static bool write_row(const struct metrics_row *row, struct evbuffer *out)
{
    if (row->type == METRICS_HIST)
        return write_hist(row, out);
    double value;
    if (row->read != NULL)
        value = row->read(row->arg);
    else if (row->type == METRICS_COUNTER)
        value = (double)*(const uint64_t *)row->value;
    else
        value = (double)*(const int64_t *)row->value;
    return write_sample(row, out, "", value * scale_of(row));
}

int metrics_write(const struct metrics *metrics, struct evbuffer *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    const char *last = "";
    for (size_t i = 0; i < metrics->count; i++) {
        const struct metrics_row *row = &metrics->rows[i];
        // Help and type once for all rows of a name.
        if (strcmp(row->name, last) != 0 && evbuffer_add_printf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name,
                                                                row->help, row->name, types[row->type]) < 0)
            return ERR_NOMEM;
        if (!write_row(row, out))
            return ERR_NOMEM;
        last = row->name;
    }
    return 0;
}
