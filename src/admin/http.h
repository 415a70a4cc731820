/* http: the paths of the admin port, for libmicrohttpd. Private to admin/. */
#ifndef ADMIN_HTTP_H
#define ADMIN_HTTP_H

#include <microhttpd.h>

#include "headless/base/address.h"

/* The access handler; cls is the struct admin. HTTP thread only, like the others. */
enum MHD_Result http_handle(void *cls, struct MHD_Connection *connection, const char *url,
                            const char *method, const char *version, const char *upload_data,
                            size_t *upload_data_size, void **request_state);

/* A connection was accepted or ends; cls is the struct admin. */
void http_notify(void *cls, struct MHD_Connection *connection, void **socket_context,
                 enum MHD_ConnectionNotificationCode code);

/* The client's IP address; port 0. */
struct address http_client(struct MHD_Connection *connection);

#endif
