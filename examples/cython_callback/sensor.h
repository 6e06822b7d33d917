/* sensor.h: a library with callbacks on a thread of its own, as the SDKs of devices are. It knows nothing of cawait. */
#ifndef SENSOR_H
#define SENSOR_H

/* Called once for each measurement, on the library's thread. `error` is 0, or an errno. */
typedef void (*sensor_done)(void *user, int error, double value);

/* Queue a measurement, and return at once: 0, or an errno, and `done` is then never called. Channels are 0 to 7; the
 * thread finds out that there is no such channel. */
int sensor_measure(int channel, sensor_done done, void *user);

#endif
