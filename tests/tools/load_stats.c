#include "tests/tools/load_stats.h"

#include <inttypes.h>
#include <jansson.h>

static int64_t earlier(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

void load_stats_merge(struct load_stats *sum, const struct load_stats *from)
{
    for (unsigned i = 0; i < LOAD_COUNTERS; i++)
        sum->counters[i] += from->counters[i];
    sum->first_draw_us = earlier(sum->first_draw_us, from->first_draw_us);
    sum->started_us = earlier(sum->started_us, from->started_us);
    if (from->last_verdict_us > sum->last_verdict_us)
        sum->last_verdict_us = from->last_verdict_us;
    if (from->all_open_us > sum->all_open_us)
        sum->all_open_us = from->all_open_us;
    sum->cpu_us += from->cpu_us;
    hist_merge(&sum->connect_us, &from->connect_us);
    hist_merge(&sum->ack_us, &from->ack_us);
    hist_merge(&sum->seen_us, &from->seen_us);
    hist_merge(&sum->read_us, &from->read_us);
}

bool load_stats_failed(const struct load_stats *sum)
{
    return sum->unknown + sum->refused + sum->unexpected + sum->malformed + sum->bad_checksums + sum->abandoned +
               sum->mismatches + sum->behind + sum->errors >
           0;
}

static double draw_seconds(const struct load_stats *sum)
{
    int64_t us = sum->last_verdict_us - sum->first_draw_us;
    return sum->first_draw_us == 0 || us <= 0 ? 0 : (double)us / 1e6;
}

static double draws_per_s(const struct load_stats *sum)
{
    double seconds = draw_seconds(sum);
    return seconds > 0 ? (double)sum->verdicts[VERDICT_PLACED] / seconds : 0;
}

static double connect_seconds(const struct load_stats *sum)
{
    return sum->all_open_us == 0 ? 0 : (double)(sum->all_open_us - sum->started_us) / 1e6;
}

void load_stats_progress(FILE *out, const struct load_stats *sum, const struct load_stats *before, uint64_t wanted,
                         double seconds)
{
    uint64_t placed = sum->verdicts[VERDICT_PLACED];
    (void)fprintf(out,
                  "%4.0f s  open %" PRIu64 "/%" PRIu64 "  placed %" PRIu64 " (%" PRIu64 "/s)  in flight %" PRIu64
                  "  ack p50 %.1f ms p99 %.1f ms  seen p99 %.1f ms  frames %" PRIu64 "/s  reconnects %" PRIu64 "\n",
                  seconds, sum->open, wanted, placed, placed - before->verdicts[VERDICT_PLACED], sum->in_flight,
                  (double)hist_percentile(&sum->ack_us, 50) / 1e3, (double)hist_percentile(&sum->ack_us, 99) / 1e3,
                  (double)hist_percentile(&sum->seen_us, 99) / 1e3, sum->tile_frames - before->tile_frames,
                  sum->reconnects);
}

static void print_latency(FILE *out, const char *name, const struct hist *hist)
{
    if (hist->count == 0)
        return;
    (void)fprintf(out, "%-26s p50 %.3f ms, p90 %.3f ms, p99 %.3f ms, max %.3f ms (%" PRIu64 " samples)\n", name,
                  (double)hist_percentile(hist, 50) / 1e3, (double)hist_percentile(hist, 90) / 1e3,
                  (double)hist_percentile(hist, 99) / 1e3, (double)hist->max / 1e3, hist->count);
}

static void print_clients(FILE *out, const struct load_stats *sum)
{
    (void)fprintf(out, "%-26s %" PRIu64 " (all open after %.2f s), reconnects %" PRIu64 ", failed %" PRIu64 "\n",
                  "connections opened", sum->connects, connect_seconds(sum), sum->reconnects, sum->connect_failures);
    (void)fprintf(out, "%-26s %" PRIu64 ", placed %" PRIu64 " in %.2f s: %.0f draws/s, resent %" PRIu64 "\n", "draws",
                  sum->draws, sum->verdicts[VERDICT_PLACED], draw_seconds(sum), draws_per_s(sum), sum->resent);
    (void)fprintf(out, "%-26s", "verdicts");
    for (unsigned code = 0; code <= VERDICT_COUNT; code++) {
        if (sum->verdicts[code] > 0)
            (void)fprintf(out, " %s %" PRIu64, verdict_name(code), sum->verdicts[code]);
    }
    (void)fprintf(out, "\n");
    print_latency(out, "connect to welcome", &sum->connect_us);
    print_latency(out, "draw to acknowledgement", &sum->ack_us);
    print_latency(out, "draw to screen", &sum->seen_us);
    print_latency(out, "of that, read by this client", &sum->read_us);
    (void)fprintf(out,
                  "%-26s %" PRIu64 " tile frames, %" PRIu64 " updates, %" PRIu64 " snapshots, %" PRIu64
                  " bytes, %" PRIu64 " gaps\n",
                  "received", sum->tile_frames, sum->updates, sum->snapshots, sum->bytes_in, sum->gaps);
    (void)fprintf(out, "%-26s %.2f s\n", "CPU of the load client", (double)sum->cpu_us / 1e6);
}

void load_stats_print(FILE *out, const struct load_options *options, const struct load_stats *sum)
{
    (void)fprintf(out, "%-26s %s, %u gateways", "mode", load_mode_name(options->mode), options->target_count);
    if (options->mode == LOAD_CHECK) {
        (void)fprintf(out, "\n");
    } else {
        (void)fprintf(out, ", %" PRId64 " connections, %" PRId64 " processes\n", options->connections,
                      options->processes);
        print_clients(out, sum);
    }
    (void)fprintf(out,
                  "%-26s %" PRIu64 " mismatches, %" PRIu64 " tiles behind, %" PRIu64 " bad checksums, %" PRIu64
                  " unacknowledged, %" PRIu64 " refused, %" PRIu64 " unexpected verdicts, %" PRIu64
                  " malformed, %" PRIu64 " abandoned, %" PRIu64 " errors\n",
                  load_stats_failed(sum) ? "FAILED" : "all is well", sum->mismatches, sum->behind, sum->bad_checksums,
                  sum->unknown, sum->refused, sum->unexpected, sum->malformed, sum->abandoned, sum->errors);
}

static json_t *latency_json(const struct hist *hist)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:f}", "p50", (json_int_t)hist_percentile(hist, 50), "p90",
                     (json_int_t)hist_percentile(hist, 90), "p99", (json_int_t)hist_percentile(hist, 99), "max",
                     (json_int_t)hist->max, "samples", (json_int_t)hist->count, "mean",
                     hist->count > 0 ? (double)hist->sum / (double)hist->count : 0.0);
}

static json_t *verdicts_json(const struct load_stats *sum)
{
    json_t *verdicts = json_object();
    for (unsigned code = 0; code <= VERDICT_COUNT; code++)
        (void)json_object_set_new(verdicts, verdict_name(code), json_integer((json_int_t)sum->verdicts[code]));
    return verdicts;
}

int load_stats_write_json(const char *path, const struct load_options *options, const struct load_stats *sum)
{
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {
        {"connections", (uint64_t)options->connections},
        {"processes", (uint64_t)options->processes},
        {"gateways", options->target_count},
        {"connects", sum->connects},
        {"reconnects", sum->reconnects},
        {"connect_failures", sum->connect_failures},
        {"abandoned", sum->abandoned},
        {"draws", sum->draws},
        {"placed", sum->verdicts[VERDICT_PLACED]},
        {"resent", sum->resent},
        {"unacknowledged", sum->unknown},
        {"refused", sum->refused},
        {"unexpected_verdicts", sum->unexpected},
        {"bytes_in", sum->bytes_in},
        {"tile_frames", sum->tile_frames},
        {"updates", sum->updates},
        {"snapshots", sum->snapshots},
        {"gaps", sum->gaps},
        {"malformed", sum->malformed},
        {"bad_checksums", sum->bad_checksums},
        {"mismatches", sum->mismatches},
        {"behind", sum->behind},
        {"errors", sum->errors},
        {"cpu_us", sum->cpu_us},
    };
    json_t *root = json_object();
    int err = json_object_set_new(root, "mode", json_string(load_mode_name(options->mode)));
    err |= json_object_set_new(root, "ok", json_boolean(!load_stats_failed(sum)));
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        err |= json_object_set_new(root, counts[i].name, json_integer((json_int_t)counts[i].value));
    err |= json_object_set_new(root, "seconds", json_real(draw_seconds(sum)));
    err |= json_object_set_new(root, "draws_per_s", json_real(draws_per_s(sum)));
    err |= json_object_set_new(root, "connect_seconds", json_real(connect_seconds(sum)));
    err |= json_object_set_new(root, "verdicts", verdicts_json(sum));
    err |= json_object_set_new(root, "connect_us", latency_json(&sum->connect_us));
    err |= json_object_set_new(root, "acknowledged_us", latency_json(&sum->ack_us));
    err |= json_object_set_new(root, "seen_us", latency_json(&sum->seen_us));
    err |= json_object_set_new(root, "read_us", latency_json(&sum->read_us));
    if (err == 0)
        err = json_dump_file(root, path, JSON_INDENT(2));
    json_decref(root);
    return err == 0 ? 0 : ERR_IO;
}
