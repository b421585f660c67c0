# Varnish 7 on an edge: public playlists, held ones included, and public media are asked for once for all viewers.
#
# Copy to /etc/varnish/streamer.vcl. nginx (nginx.conf beside this file) stands before it, and between it and the
# origin. README.md beside this file has the steps.

vcl 4.1;

import std;

backend origin {
    .host = "127.0.0.1";
    .port = "6083";
    .connect_timeout = 1s;
    # The origin answers a held request within three target durations.
    .first_byte_timeout = 15s;
    .between_bytes_timeout = 5s;
    # Three failures in a row, at most 4.5 s: then nothing that was erased meanwhile may be served any more.
    .probe = {
        .url = "/livez";
        .interval = 0.5s;
        .timeout = 1s;
        .window = 3;
        .threshold = 1;
        .initial = 0;
    }
}

sub vcl_recv {
    # Public media are most of what is asked for: one look at their address says so. Each expression costs all viewers.
    if (req.method == "GET"
        && req.url ~ "^/(?:live|replay)(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+(?<!/download)\.(?:m4s|mp4)$") {
        if (!std.healthy(req.backend_hint)) {
            return (synth(503, "origin_unreachable"));
        }
        return (hash);
    }
    if (req.url == "/.streamer/ban") {
        call ban_scope;
    }
    if (req.url ~ "^/(live|replay)/" && !std.healthy(req.backend_hint)) {
        return (synth(503, "origin_unreachable"));
    }
    # Closed sessions ("~"), downloads, and everything that is spelt unusually pass: nothing of it is kept, so that
    # whatever is kept can be named, and banned.
    if ((req.method != "GET" && req.method != "HEAD")
        || req.url !~ "^/(live|replay|assets)(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+(\?.*)?$"
        || req.url ~ "^[^?]*/download\.mp4") {
        return (pass);
    }
    call canonical_query;
    return (hash);
}

# The origin says what it lists no more: live/ROOM, replay/SESSION, or all. What is kept of it is asked for again.
sub ban_scope {
    set req.http.X-Secret = regsub(std.fileread("/etc/varnish/streamer.secret"), "\s+$", "");
    if (req.http.X-Secret !~ "^[!-~]{32,}$" || req.http.Authorization != "Bearer " + req.http.X-Secret) {
        return (synth(403, "not_the_origin"));
    }
    if (req.http.X-Streamer-Ban == "all") {
        if (std.ban("obj.http.X-Scope ~ .")) {
            return (synth(204));
        }
    } else if (req.http.X-Streamer-Ban ~ "^(live|replay)/[A-Za-z0-9_-]+$") {
        if (std.ban("obj.http.X-Scope == " + req.http.X-Streamer-Ban)) {
            return (synth(204));
        }
    } else {
        # streamer check asks for nothing, to learn whether it would be heard.
        return (synth(400, "not_a_scope"));
    }
    return (synth(500, "not_banned"));
}

# One spelling for each playlist that there is: dvr, _HLS_msn, _HLS_part, _HLS_skip, in this order. Others are dropped.
sub canonical_query {
    if (req.url ~ "\?" && req.url ~ "^[^?]*\.m3u8\?") {
        set req.http.X-Query = regsub(req.url, "^[^?]*\?", "&");
        if (req.http.X-Query ~ "&(dvr|_HLS_msn|_HLS_part|_HLS_skip)(=[^&]*)?(&.*)?&\1(=|&|$)"
            || req.http.X-Query ~ "&(_HLS_msn|_HLS_part)(&|$|=(?![0-9]{1,15}(&|$)))"
            || req.http.X-Query ~ "&_HLS_skip(&|$|=(?!(YES|v2)(&|$)))") {
            return (synth(400, "bad_directive"));
        }
        set req.url = regsub(req.url, "\?.*", "?");
        if (req.http.X-Query ~ "&dvr=1(&|$)") {
            set req.url = req.url + "&dvr=1";
        }
        if (req.http.X-Query ~ "&_HLS_msn=") {
            set req.url = req.url + regsub(req.http.X-Query, "^.*(&_HLS_msn=)0*([0-9]+).*$", "\1\2");
        }
        if (req.http.X-Query ~ "&_HLS_part=") {
            set req.url = req.url + regsub(req.http.X-Query, "^.*(&_HLS_part=)0*([0-9]+).*$", "\1\2");
        }
        if (req.http.X-Query ~ "&_HLS_skip=") {
            set req.url = req.url + regsub(req.http.X-Query, "^.*(&_HLS_skip=[A-Za-z0-9]+).*$", "\1");
        }
        unset req.http.X-Query;
        set req.url = regsub(regsub(req.url, "\?&", "?"), "\?$", "");
    } elsif (req.url ~ "\?") {
        set req.url = regsub(req.url, "\?.*", "");
    }
}

# Whatever name a viewer uses, the content is the same.
sub vcl_hash {
    hash_data(req.url);
    return (lookup);
}

sub vcl_backend_fetch {
    if (!bereq.uncacheable) {
        # Nothing of the one person for whom it is asked first.
        unset bereq.http.Cookie;
        unset bereq.http.Authorization;
    }
    # Varnish has added nginx's address; the origin reads this list from the right.
    set bereq.http.X-Forwarded-For = regsub(bereq.http.X-Forwarded-For, ",[^,]*$", "");
}

sub vcl_backend_response {
    if (bereq.uncacheable) {
        return (deliver);
    }
    set beresp.grace = 0s;
    unset beresp.http.Set-Cookie;
    set beresp.http.X-Scope = regsub(bereq.url, "^/((live|replay)/[^/]+)/.*$", "\1");
    if (beresp.status == 200 && beresp.http.Cache-Control !~ "(?i)no-cache|no-store|private" && beresp.ttl > 0s) {
        if (bereq.url ~ "\.(m4s|mp4)$") {
            # An old one is asked for with its ETag, and need not come again with its bytes.
            set beresp.keep = 1h;
        }
        return (deliver);
    }
    if (beresp.status == 400 || beresp.status == 404 || beresp.status == 410 || beresp.status == 503) {
        # For those who wait for this answer, and for nobody later: a part that never comes is no rush on the origin.
        set beresp.ttl = 0.05s;
        return (deliver);
    }
    set beresp.uncacheable = true;
    set beresp.ttl = 1s;
    return (deliver);
}

sub vcl_deliver {
    unset resp.http.X-Scope;
    unset resp.http.X-Varnish;
    unset resp.http.Via;
}

sub vcl_synth {
    set resp.http.Content-Type = "application/json; charset=utf-8";
    set resp.http.Cache-Control = "no-store";
    set resp.http.Access-Control-Allow-Origin = "*";
    if (resp.status == 204 || resp.reason ~ "^not_") {
        set resp.body = "";
    } else if (resp.reason == "bad_directive") {
        set resp.body = """{"error": {"code": "bad_directive", "message": "A directive comes twice or is none."}}""";
    } else {
        set resp.http.Retry-After = "1";
        set resp.body = """{"error": {"code": "origin_unreachable", "message": "The server cannot be reached."}}""";
    }
    return (deliver);
}

sub vcl_backend_error {
    set beresp.http.Content-Type = "application/json; charset=utf-8";
    set beresp.http.Cache-Control = "no-store";
    set beresp.http.Access-Control-Allow-Origin = "*";
    set beresp.http.Retry-After = "1";
    set beresp.body = """{"error": {"code": "origin_unreachable", "message": "The server cannot be reached."}}""";
    set beresp.ttl = 0.05s;
    return (deliver);
}
