// Settings as they are shown.

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/admin/admin_impl.h"

void admin_duration_text(char to[ADMIN_DURATION_SIZE], uint32_t ms)
{
    if (ms % 1000 != 0)
        snprintf(to, ADMIN_DURATION_SIZE, "%" PRIu32 "ms", ms);
    else if (ms % 60000 != 0)
        snprintf(to, ADMIN_DURATION_SIZE, "%" PRIu32 "s", ms / 1000);
    else if (ms != 0)
        snprintf(to, ADMIN_DURATION_SIZE, ms % 3600000 == 0 ? "%" PRIu32 "h" : "%" PRIu32 "m",
                 ms % 3600000 == 0 ? ms / 3600000 : ms / 60000);
    else
        snprintf(to, ADMIN_DURATION_SIZE, "0");
}

json_t *admin_color(const struct palette_color *color)
{
    char rgb[8];
    snprintf(rgb, sizeof rgb, "#%02x%02x%02x", color->r, color->g, color->b);
    return json_pack("{s:s, s:s}", "name", color->name, "rgb", rgb);
}

static json_t *palette_of(const struct canvas_config *config)
{
    json_t *list = json_array();
    for (uint16_t i = 0; i < config->palette.count; i++)
        json_array_append_new(list, admin_color(&config->palette.colors[i]));
    return list;
}

static json_t *canvas_of(const struct canvas_config *config)
{
    return json_pack("{s:I, s:I, s:i}", "width", (json_int_t)config->geom.width, "height",
                     (json_int_t)config->geom.height, "tile_edge", (int)config->geom.edge);
}

json_t *admin_settings(const struct canvas_config *config)
{
    char cooldown[ADMIN_DURATION_SIZE];
    admin_duration_text(cooldown, config->cooldown_ms);
    return json_pack("{s:s, s:b, s:s, s:I, s:o, s:o}", "cooldown", cooldown, "read-only", config->closed,
                     "announcement", config->announced, "guests-per-address", (json_int_t)config->guests_per_address,
                     "palette", palette_of(config), "canvas", canvas_of(config));
}

static void show(struct admin_call *call, const struct canvas_config *config)
{
    json_t *settings = admin_settings(config);
    if (call->arg_count == 0) {
        admin_answer(call, json_pack("{s:I, s:o}", "version", (json_int_t)config->version, "settings", settings));
        return;
    }
    json_t *value = json_object_get(settings, call->args[0]);
    if (value == NULL)
        admin_fail(call, "usage",
                   "no such setting: cooldown, read-only, announcement, guests-per-address, palette, canvas");
    else
        admin_answer(call, json_pack("{s:I, s:s, s:O}", "version", (json_int_t)config->version, "name", call->args[0],
                                     "value", value));
    json_decref(settings);
}

void admin_run_get(struct admin_call *call)
{
    admin_read_config(call, show);
}
