/* http: the paths of the admin port, for libmicrohttpd. Private to admin/. */
#ifndef ADMIN_HTTP_H
#define ADMIN_HTTP_H

#include <microhttpd.h>

/* Its access handler; cls is the struct admin. HTTP thread only. */
enum MHD_Result http_handle(void *cls, struct MHD_Connection *connection, const char *url,
                            const char *method, const char *version, const char *upload_data,
                            size_t *upload_data_size, void **request_state);

#endif
