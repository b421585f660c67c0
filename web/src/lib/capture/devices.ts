/** Lists of cameras and microphones. Pure: over what `enumerateDevices` gives. */

export interface Device {
  id: string
  label: string
}

export interface DeviceLists {
  cameras: Device[]
  microphones: Device[]
}

interface DeviceInfo {
  deviceId: string
  kind: string
  label: string
}

/** Before a permission is given ids and labels are empty: those entries say that there is something, not what. */
export function deviceLists(infos: readonly DeviceInfo[]): DeviceLists {
  const pick = (kind: string): Device[] => {
    const seen = new Set<string>()
    const devices: Device[] = []
    for (const info of infos) {
      if (info.kind !== kind || !info.deviceId || seen.has(info.deviceId)) continue
      // Chromium's aliases of the system's choice double a device that is in the list anyway.
      if (info.deviceId === 'communications') continue
      seen.add(info.deviceId)
      devices.push({ id: info.deviceId, label: cleanLabel(info.label) })
    }
    return devices
  }
  return { cameras: pick('videoinput'), microphones: pick('audioinput') }
}

/** USB vendor and product numbers say nothing to a technician. */
function cleanLabel(label: string): string {
  return label.replace(/\s*\([0-9a-f]{4}:[0-9a-f]{4}\)$/i, '')
}

/** The device to open: the one that was chosen if it is there, else the first, else ''. */
export function choose(devices: readonly Device[], wanted: string): string {
  if (devices.some((device) => device.id === wanted)) return wanted
  return devices[0]?.id ?? ''
}
