static void start(const char *event)
{
    log_info("started", "ok");
    log_error(event, "not found by name");
}
