#ifndef IMAGE_CREATE_CLIBVIRT_H
#define IMAGE_CREATE_CLIBVIRT_H

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>
/* Swift's Glibc has no statfs(). */
#include <sys/vfs.h>

/* Here, since prctl() is variadic, which Swift can't call. Returns 0 if no core file of this process
   can be written any more. */
static inline int image_create_forbid_core_files(void) {
  const struct rlimit none = {0, 0};
  int failed = setrlimit(RLIMIT_CORE, &none);
  /* Alone the limit does not bind a core_pattern that pipes the core into a program. */
  failed |= prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return failed != 0 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0;
}

/* Here, since Swift sees memfd_create() only with _GNU_SOURCE. */
static inline int image_create_memory_file(void) {
  return (int)syscall(SYS_memfd_create, "image-create", 1u /* MFD_CLOEXEC */);
}

/* Here, since libvirt has its callers cast each kind of callback to a generic one. Returns the
   registration's number, or -1. */
static inline int image_create_register_lifecycle(virDomainPtr domain,
                                                  virConnectDomainEventCallback callback,
                                                  void *opaque, virFreeCallback release) {
  return virConnectDomainEventRegisterAny(virDomainGetConnect(domain), domain,
                                          VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                          VIR_DOMAIN_EVENT_CALLBACK(callback), opaque, release);
}

#endif
