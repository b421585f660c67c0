/** Keeps the screen lit while the page is seen, where the browser can. Returns how to stop. */
export function stayAwake(): () => void {
  let lock: WakeLockSentinel | null = null
  let stopped = false
  const ask = async () => {
    if (document.hidden || !('wakeLock' in navigator)) return
    const got = await navigator.wakeLock.request('screen').catch(() => null) // Low battery, or not allowed.
    if (stopped) void got?.release()
    else lock = got
  }
  // A hidden page loses it.
  document.addEventListener('visibilitychange', ask)
  void ask()
  return () => {
    stopped = true
    document.removeEventListener('visibilitychange', ask)
    void lock?.release()
  }
}
