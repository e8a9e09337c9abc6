/* The factory release. Written by `python -m attuned.demo.factory`; do not edit by hand.
 *
 * Means and variances are in units of q / 1024 (window/schema.c). */
#include "learner/factory.h"

const attune_factory_row attune_factory_rows[] = {
    /* kind, statistic, mean free, occupied, variance free, occupied */
    {ATTUNE_TEMPERATURE, ATTUNE_MEAN, {-0.25f, 0.15f}, {1.0f, 0.8f}},
    {ATTUNE_HUMIDITY, ATTUNE_MEAN, {-0.15f, 0.05f}, {1.0f, 1.0f}},
    {ATTUNE_LIGHT, ATTUNE_MEAN, {-0.75f, 0.9f}, {0.5f, 0.8f}},
    {ATTUNE_CO2, ATTUNE_MEAN, {-0.6f, 0.5f}, {0.35f, 1.2f}},
    {ATTUNE_VOC, ATTUNE_MEAN, {-0.3f, 0.4f}, {0.8f, 0.9f}},
    {ATTUNE_PM25, ATTUNE_MEAN, {-0.1f, 0.1f}, {1.0f, 1.0f}},
    {ATTUNE_SOUND, ATTUNE_MEAN, {-0.9f, 0.7f}, {0.5f, 0.9f}},
    {ATTUNE_PIR, ATTUNE_COUNT, {-0.45f, 0.6f}, {0.1f, 0.6f}},
    {ATTUNE_PIR, ATTUNE_ACTIVITY, {-0.6f, 0.7f}, {0.15f, 0.6f}},
    {ATTUNE_PIR, ATTUNE_SINCE, {0.9f, -1.2f}, {0.6f, 0.5f}},
    {ATTUNE_DOOR, ATTUNE_COUNT, {-0.48f, -0.35f}, {0.05f, 0.15f}},
    {ATTUNE_DOOR, ATTUNE_ACTIVITY, {-0.64f, -0.5f}, {0.04f, 0.1f}},
    {ATTUNE_DOOR, ATTUNE_SINCE, {0.9f, 0.3f}, {0.6f, 0.4f}},
};

const uint8_t attune_factory_row_count = sizeof attune_factory_rows / sizeof attune_factory_rows[0];
