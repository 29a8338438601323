/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/status.h"

#include "agent/config.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/time.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <systemd/sd-daemon.h>

static json_t *ports_to_json(const Status *status) {
        json_t *array = json_array();

        for (size_t i = 0; i < status->n_ports; i++)
                if (json_array_append_new(array, port_to_json(status->ports[i])) < 0) {
                        json_decref(array);
                        return NULL;
                }
        return array;
}

/* The wall clock may be set at any time: what is written is what it shows now. */
static json_t *next_to_json(uint64_t boottime) {
        uint64_t now = time_now_boottime(), wait = boottime > now ? boottime - now : 0;
        char text[TIME_UTC_MAX];

        if (boottime == USEC_INFINITY)
                return json_null();
        return json_string(time_format_utc(text, sizeof(text), time_add(time_now_realtime(), wait)));
}

static json_t *status_to_json(const Status *status) {
        char now[TIME_UTC_MAX];
        const char *serial = status->identity->serial;

        return json_pack("{s:i, s:s, s:s, s:o, s:o, s:o, s:o}", "version", 1, "state", status->state, "time",
                        time_format_utc(now, sizeof(now), time_now_realtime()), "reason",
                        *status->reason ? json_string(status->reason) : json_null(), "serial",
                        *serial ? json_string(serial) : json_null(), "next_attempt",
                        next_to_json(status->next_attempt), "ports", ports_to_json(status));
}

int status_write(const Status *status) {
        _cleanup_free_ char *text = NULL;
        json_auto_t *object = NULL;
        char path[PATH_MAX];

        sd_notifyf(false, "STATUS=%s%s%s", status->state, *status->reason ? ": " : "", status->reason);

        object = status_to_json(status);
        if (!object)
                return -ENOMEM;
        text = json_dumps(object, JSON_INDENT(2));
        if (!text)
                return -ENOMEM;
        return file_replace(
                        config_agent_path(path, sizeof(path), "status.json"), text, strlen(text), 0644, 0);
}
