/* Every key of a scene, one line each: the group, the name, ..., its default as YAML, its meaning. To add one, write
 * its line into its group here, and draw from it where it is needed:
 *
 *     NUMBER(pose, yaw, -90, 90, "[-30, 30]", "Turn of the head, degrees; ...")   distribution_draw(&s->pose_yaw, r)
 *     SHARE(occluders, glasses, "0.1", "People who wear glasses.")                 share_draw(&s->occluders_glasses, r)
 *     CHOICE(light, rig, light_rigs, "{window: 2, lamp: 1}", "...")                choice_draw(&s->light_rig, r)
 *
 * `s` is the scene, `r` the stream of the face or person; a choice's words are an array declared in scene.h. It is then
 * a key "pose.yaw" of every scene, read, checked, printed and kept by sets; docs/scene.md is written anew with
 * `build-dev/mien synth --list-keys > docs/scene.md`. Presets differ from the defaults in what presets[] of scene.c
 * says. No include guard: scene.h makes fields of the lines, scene.c rows. */

NUMBER(framing, field, 0.8, 6, "[1.35, 1.75]", "Decimetres across the picture at the face's depth.")
NUMBER(framing, shift_x, -0.5, 0.5, "{mean: 0, std: 0.02, low: -0.1, high: 0.1}",
       "The face's place beside the middle, share of the picture.")
NUMBER(framing, shift_y, -0.5, 0.5, "{mean: -0.04, std: 0.03, low: -0.15, high: 0.1}",
       "The same, below it (negative: higher).")

NUMBER(pose, yaw, -90, 90, "{mean: 0, std: 11, low: -32, high: 32}",
       "Turn of the head, degrees; positive to its own left.")
NUMBER(pose, pitch, -60, 60, "{mean: -1, std: 6, low: -18, high: 18}", "Nod, degrees; positive up.")
NUMBER(pose, manner, 0, 3, "[0.2, 1.6]",
       "How far heads go as people feel, times the intensity: anger and sadness down, fear and surprise up.")
NUMBER(pose, roll, -60, 60, "{mean: 0, std: 4, low: -14, high: 14}", "Tilt, degrees; positive counter-clockwise.")

NUMBER(gaze, side, -1, 1, "{mean: 0, std: 0.35, low: -0.8, high: 0.8}",
       "Where the eyes look beside straight on, share of their farthest; positive to the face's own left.")
NUMBER(gaze, up, -1, 1, "{mean: 0, std: 0.22, low: -0.7, high: 0.6}", "The same, above.")
SHARE(gaze, blinks, "0.04", "Faces in the middle of a blink (never of fear or surprise).")
NUMBER(gaze, blink, 0, 1, "[0.4, 1]", "How far a blink closes the eyes.")
NUMBER(gaze, lids, 0, 1, "{mean: 0, std: 0.05, low: 0, high: 0.2}", "How far lids droop where there is no blink.")

SHARE(age, children, "0.15", "People below 18, where the face model knows children.")
NUMBER(age, child, 1, 18, "[2, 18]", "Their years.")
NUMBER(age, adult, 18, 90, "{mean: 28, std: 22, low: 18, high: 85}", "Years of the others.")

SHARE(identity, men, "0.5", "Men and boys.")
CHOICE(identity, ancestry, ancestry_names, "{african: 1, asian: 1, caucasian: 1}",
       "Where most of a person's ancestors come from: shape, and what skin, hair and eyes are likely.")
SHARE(identity, mixed, "0.5", "People with up to half of another ancestry.")
NUMBER(identity, tone_shift, -1, 1, "{mean: 0, std: 0.11, low: -0.4, high: 0.4}",
       "How much darker the skin is than ancestry has it, of the scale from lightest to darkest.")
NUMBER(identity, shape, 0, 2, "1", "How far heads differ from the mean one; 0: not at all.")
SHARE(identity, freckles, "0.17", "People with freckles, where the skin is light.")
SHARE(identity, makeup, "0.4", "Women with lipstick.")
CHOICE(identity, hair_women, hair_style_names, "{bald: 0, cropped: 4, short: 30, long: 66}", "Hair of women and girls.")
CHOICE(identity, hair_men, hair_style_names, "{bald: 10, cropped: 28, short: 57, long: 5}",
       "Hair of men and boys; older men are bald more often.")
CHOICE(identity, hair_colour, hair_colour_names,
       "{black: 1, dark_brown: 1, brown: 1, light_brown: 1, blond: 1, flaxen: 1, red: 1, auburn: 1}",
       "Factors on how likely each is for ancestry, skin and age; hair turns grey with age whatever it was.")
SHARE(identity, hair_dyed, "0.02", "People above 14 whose hair has any colour at all.")
NUMBER(identity, hair_wave, -1, 1, "0",
       "How much more curly hair is than ancestry has it; 1: from straight to tight curls.")
NUMBER(identity, hair_volume, 0.3, 3, "1", "Factor on how far hair stands off the scalp.")
NUMBER(identity, stubble, 0, 1, "{mean: 0, std: 0.35, low: 0, high: 1}", "Of men: 0 shaved, 1 dark stubble.")
SHARE(identity, beards, "0.2", "Men with a full beard.")
SHARE(identity, moustaches, "0.12", "Of the others, men with a moustache.")

NUMBER(expression, intensity, 0, 1, "[0.55, 1]", "Of the six expressions and `other`. (Tasks of all eight: [0.3, 1].)")
NUMBER(expression, asymmetry, -0.6, 0.6, "{mean: 0, std: 0.1, low: -0.3, high: 0.3}",
       "By how much more of a unit the face's left side moves than its level, and its right less.")
NUMBER(expression, jitter, -0.9, 0.9, "{mean: 0, std: 0.12, low: -0.24, high: 0.24}",
       "By how much more than its variant says an action unit moves.")

NUMBER(camera, distance, 3, 100, "[5.5, 14]", "Camera to face, decimetres.")
NUMBER(camera, exposure, 0.1, 4, "[0.75, 1.12]", "Brightness as taken, over that which shows the skin well.")

CHOICE(light, setup, lighting_names, "{keys: 1}",
       "`keys`: one key light, a fill light and the surroundings, as the other keys say. The others have lights and "
       "likely backgrounds of their own: studio, one lamp in the dark, window, grey sky, sun past roofs and leaves, "
       "ceiling lamps, flash, against the light, from below, coloured stage lights, both sides.")
SHARE(light, from_left, "0.5", "Key lights on the face's right, the picture's left; the fill light is opposite.")
NUMBER(light, key_azimuth, 0, 180, "[5, 70]", "How far beside the camera the key light stands, degrees.")
NUMBER(light, key_elevation, -90, 90, "[8, 60]", "How far above, degrees.")
NUMBER(light, fill_azimuth, 0, 180, "[20, 80]", "The same of the fill light.")
NUMBER(light, fill_elevation, -90, 90, "[-15, 30]", "The same of the fill light.")
NUMBER(light, contrast, 0, 1, "[0, 1]", "0: key, fill and surroundings are alike; 1: the key light nearly alone.")
NUMBER(light, warmth, -1, 1, "[-0.7, 1]", "The key light's colour: -1 blue sky, 0 white, 1 a lamp at home.")
NUMBER(light, fill_warmth, -2, 2, "[-0.3, 0.8]", "How much colder the fill light is.")
NUMBER(light, sky_warmth, -1, 1, "[-0.8, 0.6]", "The colour of light from all around.")
NUMBER(light, ground, 0, 2, "[0.45, 0.85]", "Light from below, of that from above.")

CHOICE(background, kind, background_names, "{blobs: 1}", "What stands behind; the light makes some likelier.")
NUMBER(background, blur, 0, 0.12, "[0, 0.04]", "How unsharp it is: share of the picture's side, standard deviation.")
NUMBER(background, level, 0, 1, "{mean: 0.02, std: 0.28, low: 0.02, high: 0.57}", "Its brightness.")
NUMBER(background, colour, 0, 1, "[0.05, 0.6]", "Its saturation.")
NUMBER(background, contrast, 0.1, 4, "[0.8, 2.2]", "Factor on the level, drawn for each of its two colours.")
NUMBER(background, blobs, 0, 1, "[0.1, 1]", "Strength of what is out of focus in it.")
NUMBER(background, cloth_level, 0, 1, "[0.08, 0.8]", "Brightness of clothes.")
NUMBER(background, cloth_colour, 0, 1, "[0.1, 0.9]", "Saturation of clothes.")

SHARE(occluders, glasses, "0.14", "People who wear glasses.")
SHARE(occluders, reflections, "0.5", "Faces with a window in their glasses.")
SHARE(occluders, sunglasses, "0.03", "Faces with sunglasses.")
CHOICE(occluders, hat, hat_names, "{none: 87, beanie: 3, cap: 4, brim: 3, headscarf: 2, hood: 1}",
       "On the head; men wear caps for headscarves.")
CHOICE(occluders, scarf, scarf_names, "{none: 95, neck: 2.7, mouth: 0.9, mask: 1.4}",
       "Around the neck, up over the mouth, or a medical mask.")
CHOICE(occluders, hand, hand_names, "{none: 92, mouth: 1.1, cheek: 2.1, cheeks: 0.5, brow: 1.1, chin: 3.2}",
       "Hands before the face: more over the mouth and on both cheeks in fear and surprise, over the brow in sadness.")
CHOICE(occluders, held, held_names, "{none: 98, microphone: 1.3, cup: 0.7}", "What a hand holds before the chin.")
SHARE(occluders, headphones, "0.02", "Faces with headphones.")

SHARE(degradation, blurred, "0.33", "Pictures that are not sharp.")
NUMBER(degradation, blur, 0, 20, "[0.3, 0.9]", "How unsharp those are: pixels, standard deviation.")
NUMBER(degradation, grain, 0, 60, "{mean: 0, std: 1.6, low: 0, high: 5}", "Noise: grey levels, standard deviation.")
SHARE(degradation, moved, "0", "Pictures blurred by motion.")
NUMBER(degradation, motion, 0, 0.3, "[0.01, 0.04]", "The motion's length, share of the picture's side.")
NUMBER(degradation, motion_angle, -180, 180, "[-90, 90]", "Its direction, degrees.")
SHARE(degradation, shrunk, "0", "Pictures of low resolution, enlarged.")
NUMBER(degradation, shrink, 0, 0.9, "[0.1, 0.55]", "Resolution that those lack, share.")
NUMBER(degradation, warmth, -1, 1, "0", "Wrong white balance: -1 blue .. 1 yellow.")
NUMBER(degradation, tint, -1, 1, "0", "The same: -1 green .. 1 magenta.")
NUMBER(degradation, gamma, -1, 1, "0", "Middle tones made brighter, or darker.")
NUMBER(degradation, contrast, -1, 1, "0", "Contrast added, or taken away.")
SHARE(degradation, vignetted, "0", "Pictures with dark corners.")
NUMBER(degradation, vignette, 0, 1, "[0.1, 0.6]", "Light lost there, share.")
SHARE(degradation, sharpened, "0", "Pictures sharpened afterwards.")
NUMBER(degradation, sharpness, 0, 3, "[0.4, 1.6]", "How much: times what a small blur takes away.")
SHARE(degradation, grey, "0", "Pictures without colour.")
SHARE(degradation, browned, "0.15", "Of those, brown ones.")
NUMBER(degradation, sepia, 0, 1, "[0.3, 1]", "How brown.")
SHARE(degradation, filmed, "0.3", "Of pictures without colour, those on film.")
NUMBER(degradation, film_grain, 0, 40, "[2, 9]", "Its grain: grey levels, standard deviation.")
SHARE(degradation, faded, "0.3", "Of pictures without colour, faded ones.")
NUMBER(degradation, fade, 0, 1, "[0.1, 0.6]", "How much black and white come together.")
SHARE(degradation, printed, "0", "Pictures from print, with the dots of a screen.")
NUMBER(degradation, halftone, 0, 1, "[0.1, 0.5]", "How plain the dots are.")
SHARE(degradation, dusty, "0", "Pictures scanned with dust.")
NUMBER(degradation, dust, 0, 1, "[0.1, 0.6]", "How much.")
SHARE(degradation, scratched, "0", "Pictures with scratches.")
NUMBER(degradation, scratches, 0, 1, "[0.1, 0.6]", "How many.")
SHARE(degradation, saved_twice, "0", "Pictures that were a JPEG before, at their low resolution.")
NUMBER(degradation, first_quality, 1, 100, "[30, 90]", "That one's quality.")
SHARE(degradation, stretched, "0", "Pictures whose darkest and lightest levels were made black and white.")
NUMBER(degradation, stretch, 0, 1, "[0.5, 1]", "How far.")
SHARE(degradation, marked, "0", "Pictures with a watermark.")
NUMBER(degradation, watermark, 0, 1, "[0.15, 0.6]", "Its opacity.")
SHARE(degradation, barred, "0", "Pictures with bars at their edges.")
NUMBER(degradation, border, 0, 0.3, "[0.02, 0.12]", "The bars' width, share of the side.")
NUMBER(degradation, jpeg_quality, 5, 100, "[72, 96]", "Quality that pictures are written with.")

#undef NUMBER
#undef SHARE
#undef CHOICE
