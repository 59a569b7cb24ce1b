#ifndef IMAGE_CREATE_CLIBNBD_H
#define IMAGE_CREATE_CLIBNBD_H

#include <libnbd.h>

#endif
