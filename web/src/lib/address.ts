/** An address of this server in full: some of what takes addresses (hls.js) can add queries to full ones only. */
export function absolute(path: string): string {
  return new URL(path, location.href).href
}
