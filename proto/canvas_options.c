#include "proto/canvas_options.h"

#include <string.h>

int canvas_options_config(const struct canvas_options *options, struct canvas_config *config, char *error,
                          size_t error_size)
{
    *config = (struct canvas_config){
        .geom = {.width = (uint32_t)options->width,
                 .height = (uint32_t)options->height,
                 .edge = (uint16_t)(64u << (unsigned)options->tile_edge)},
        .cooldown_ms = (uint32_t)options->cooldown_ms,
        .guests_per_address = (uint32_t)options->guests_per_address,
    };
    if (options->palette[0] == '\0') {
        config->palette = *palette_default();
        return 0;
    }
    return palette_parse(&config->palette, options->palette, strlen(options->palette), error, error_size);
}

unsigned canvas_options_given(bool (*is_given)(const struct conf *conf, const char *name), const struct conf *conf)
{
    static const struct {
        const char *name;
        enum canvas_given bit;
    } options[] = {
        {"width", CANVAS_GIVEN_WIDTH},     {"height", CANVAS_GIVEN_HEIGHT},
        {"tile-edge", CANVAS_GIVEN_EDGE},  {"cooldown", CANVAS_GIVEN_COOLDOWN},
        {"palette", CANVAS_GIVEN_PALETTE}, {"guests-per-address", CANVAS_GIVEN_GUESTS},
    };
    unsigned given = 0;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        given |= is_given(conf, options[i].name) ? options[i].bit : 0u;
    return given;
}
