/*
 * api_client: the client of the API server as modules of headlessd. Private to headlessd. Owner: the main thread.
 */
#ifndef API_CLIENT_H
#define API_CLIENT_H

struct daemon;

int api_client_open(struct daemon *d);
void api_client_close(struct daemon *d);
int api_client_start(struct daemon *d);
void api_client_stop(struct daemon *d);

#endif
