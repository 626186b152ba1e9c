#include "shard/rules.h"

#include "proto/verdict.h"

void rules_refuse(const struct link_draw *draw, uint8_t code, uint32_t wait_ms, struct link_verdict *verdict)
{
    *verdict = (struct link_verdict){.id = draw->id, .code = code, .next_nonce = draw->nonce, .wait_ms = wait_ms};
}

bool rules_allow(const struct canvas_config *config, bool pressure, const struct link_draw *draw,
                 struct link_verdict *verdict)
{
    if (draw->color >= config->palette.count)
        rules_refuse(draw, VERDICT_BAD_COLOR, 0, verdict);
    else if (!geom_has_pixel(&config->geom, draw->x, draw->y))
        rules_refuse(draw, VERDICT_OUT_OF_BOUNDS, 0, verdict);
    else if (config->read_only || pressure)
        rules_refuse(draw, VERDICT_READ_ONLY, RULES_READ_ONLY_WAIT_MS, verdict);
    else
        return true;
    return false;
}

uint32_t rules_overload_wait_ms(uint32_t waiting, uint32_t rate)
{
    uint64_t wait_ms = (uint64_t)waiting * 1000u / (rate == 0 ? 1u : rate);
    if (wait_ms < RULES_OVERLOAD_WAIT_MIN_MS)
        return RULES_OVERLOAD_WAIT_MIN_MS;
    return wait_ms > RULES_OVERLOAD_WAIT_MAX_MS ? RULES_OVERLOAD_WAIT_MAX_MS : (uint32_t)wait_ms;
}
