/* The factory release. Written by `python -m attuned.demo.factory`; do not edit by hand.
 *
 * Means and variances are in units of q / 1024 (window/schema.c). */
#include "learner/factory.h"

const attune_factory_row attune_factory_rows[] = {
    /* kind, statistic, mean free, occupied, variance free, occupied */
    {ATTUNE_TEMPERATURE, ATTUNE_DEVIATION, {-0.786f, -0.784f}, {0.513f, 0.513f}},
    {ATTUNE_TEMPERATURE, ATTUNE_MEAN, {0.008f, 0.403f}, {1.440f, 0.801f}},
    {ATTUNE_TEMPERATURE, ATTUNE_SLOPE, {0.094f, 0.225f}, {0.536f, 0.533f}},
    {ATTUNE_TEMPERATURE, ATTUNE_VARIATION, {-0.524f, -0.311f}, {0.565f, 0.563f}},
    {ATTUNE_HUMIDITY, ATTUNE_DEVIATION, {-0.734f, -0.733f}, {0.519f, 0.519f}},
    {ATTUNE_HUMIDITY, ATTUNE_MEAN, {-0.491f, -0.662f}, {2.107f, 2.230f}},
    {ATTUNE_HUMIDITY, ATTUNE_SLOPE, {-0.045f, -0.033f}, {0.509f, 0.511f}},
    {ATTUNE_HUMIDITY, ATTUNE_VARIATION, {-0.659f, -0.537f}, {0.527f, 0.531f}},
    {ATTUNE_LIGHT, ATTUNE_DEVIATION, {0.125f, 0.122f}, {0.953f, 0.832f}},
    {ATTUNE_LIGHT, ATTUNE_MEAN, {0.212f, 0.811f}, {2.214f, 1.326f}},
    {ATTUNE_LIGHT, ATTUNE_SLOPE, {0.080f, 0.416f}, {1.450f, 1.102f}},
    {ATTUNE_LIGHT, ATTUNE_VARIATION, {0.162f, 0.295f}, {0.751f, 0.685f}},
    {ATTUNE_CO2, ATTUNE_DEVIATION, {-0.024f, -0.009f}, {0.757f, 0.759f}},
    {ATTUNE_CO2, ATTUNE_MEAN, {-1.027f, 0.003f}, {1.005f, 0.877f}},
    {ATTUNE_CO2, ATTUNE_SLOPE, {0.024f, 0.507f}, {0.585f, 0.728f}},
    {ATTUNE_CO2, ATTUNE_VARIATION, {-0.263f, 0.140f}, {0.566f, 0.578f}},
    {ATTUNE_SOUND, ATTUNE_DEVIATION, {-0.610f, 0.435f}, {0.632f, 3.002f}},
    {ATTUNE_SOUND, ATTUNE_MEAN, {-0.854f, 0.446f}, {0.975f, 1.418f}},
    {ATTUNE_SOUND, ATTUNE_SLOPE, {-0.008f, 0.604f}, {0.641f, 1.186f}},
    {ATTUNE_SOUND, ATTUNE_VARIATION, {-0.040f, 0.661f}, {0.674f, 0.565f}},
    {ATTUNE_PIR, ATTUNE_ACTIVITY, {-0.512f, 0.519f}, {0.149f, 0.367f}},
    {ATTUNE_PIR, ATTUNE_COUNT, {-0.475f, 0.355f}, {0.036f, 0.580f}},
    {ATTUNE_PIR, ATTUNE_SINCE, {0.924f, -1.018f}, {0.454f, 0.283f}},
    {ATTUNE_DOOR, ATTUNE_ACTIVITY, {-0.652f, -0.587f}, {0.002f, 0.009f}},
    {ATTUNE_DOOR, ATTUNE_COUNT, {-0.496f, -0.455f}, {0.004f, 0.044f}},
    {ATTUNE_DOOR, ATTUNE_SINCE, {1.643f, 0.366f}, {0.552f, 0.345f}},
};

const uint8_t attune_factory_row_count = sizeof attune_factory_rows / sizeof attune_factory_rows[0];
