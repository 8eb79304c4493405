/* What befalls a picture after the lens, drawn from the scene's group `degradation`: a share of the pictures has each,
 * at a strength of its own. */
#include "synth/set/draws.h"

/* The strength of what befalls a share of the pictures; 0 for the others. */
static float befall(const scene_share *how_many, const distribution *how_much, const rng *r)
{
    return share_draw(how_many, r) ? distribution_draw(how_much, r) : 0;
}

void degradation_draw(shot *s, const scene *from, const rng *r)
{
    degradation d = {0};
    s->blur = befall(&from->degradation_blurred, &from->degradation_blur, r);
    s->grain = distribution_draw(&from->degradation_grain, r);
    s->quality = (int)distribution_draw(&from->degradation_jpeg_quality, r);

    d.motion = befall(&from->degradation_moved, &from->degradation_motion, r);
    d.motion_angle = distribution_draw(&from->degradation_motion_angle, r) * 0.01745329f;
    d.shrink = befall(&from->degradation_shrunk, &from->degradation_shrink, r);
    d.warmth = distribution_draw(&from->degradation_warmth, r);
    d.tint = distribution_draw(&from->degradation_tint, r);
    d.gamma = distribution_draw(&from->degradation_gamma, r);
    d.contrast = distribution_draw(&from->degradation_contrast, r);
    d.vignette = befall(&from->degradation_vignetted, &from->degradation_vignette, r);
    d.halo = befall(&from->degradation_sharpened, &from->degradation_sharpness, r);
    d.grey = share_draw(&from->degradation_grey, r);
    if (d.grey > 0) { /* film and paper age in grey */
        d.sepia = befall(&from->degradation_browned, &from->degradation_sepia, r);
        d.film_grain = befall(&from->degradation_filmed, &from->degradation_film_grain, r);
        d.fade = befall(&from->degradation_faded, &from->degradation_fade, r);
    }
    d.halftone = befall(&from->degradation_printed, &from->degradation_halftone, r);
    d.dust = befall(&from->degradation_dusty, &from->degradation_dust, r);
    d.scratches = befall(&from->degradation_scratched, &from->degradation_scratches, r);
    d.first_quality = (int)befall(&from->degradation_saved_twice, &from->degradation_first_quality, r);
    d.stretch = befall(&from->degradation_stretched, &from->degradation_stretch, r);
    d.watermark = befall(&from->degradation_marked, &from->degradation_watermark, r);
    d.border = befall(&from->degradation_barred, &from->degradation_border, r);
    s->degraded = d;
}
