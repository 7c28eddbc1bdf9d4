package city.sensorthings.jdbc;

import java.util.concurrent.TimeUnit;

/** The time since which nobody could connect. Threads share it: an outage is bridged once, not once by each of them. */
final class Outage {

    private static final long BRIDGED_NANOS = TimeUnit.SECONDS.toNanos(5);

    private boolean lasts;
    private long since;

    synchronized void ended() {
        lasts = false;
    }

    /** Whether it began a few seconds ago at most; it begins now where there was none. */
    synchronized boolean isYoung() {
        long now = System.nanoTime();
        if (!lasts) {
            lasts = true;
            since = now;
        }
        return now - since < BRIDGED_NANOS;
    }
}
