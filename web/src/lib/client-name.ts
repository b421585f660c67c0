/** `OBS 31.0` or `Chrome 156` out of a User-Agent header. */
export function clientName(agent: string): string {
  const found = /\b(OBS|Firefox|Edg|Chrome|GStreamer|Version(?=\/[\d.]+ .*Safari)|Lavf)[\w-]*\/(\d+)/.exec(
    agent.replace('HeadlessChrome', 'Chrome').replace(/Chrome\S* (?=.*Edg)/, ''),
  )
  if (!found?.[1]) return agent.slice(0, 40)
  const names: Record<string, string> = { Edg: 'Edge', Version: 'Safari', Lavf: 'FFmpeg' }
  return `${names[found[1]] ?? found[1]} ${found[2]}`
}
