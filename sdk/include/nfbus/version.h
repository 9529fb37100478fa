/* The version of nfbus: the one place that names it. */
#ifndef NFBUS_VERSION_H
#define NFBUS_VERSION_H
#define NFBUS_VERSION "0.1.0"
#endif
