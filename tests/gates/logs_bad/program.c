static void start(const char *why)
{
    if (!why)
        log_info("started", "ok");
    else
        log_error("start_failed", "%s", why);
    log_lines(LOG_LEVEL_WARN, "odd", text);
}
