#ifndef IMAGE_CREATE_CLIBVIRT_H
#define IMAGE_CREATE_CLIBVIRT_H

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#endif
