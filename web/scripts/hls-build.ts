import type { Plugin } from 'vite'

/**
 * Leaves out of hls.js what no broadcast of ours uses; that is a quarter of it. A controller that its default
 * configuration does not name is dropped by the bundler with all that it needs. Alternate audio and subtitles stay,
 * hence not the "light" build.
 */
const UNUSED = {
  emeController: 'EMEController',
  cmcdController: 'CMCDController',
  contentSteeringController: 'ContentSteeringController',
  fpsController: 'FPSController',
  iframeController: 'IFrameController',
  interstitialsController: 'InterstitialsController',
  id3TrackController: 'ID3TrackController',
}

export function trimmedHls(): Plugin {
  return {
    name: 'streamer-trimmed-hls',
    transform(code, id) {
      if (!/hls\.js\/dist\/hls\.mjs$/.test(id)) return null
      let trimmed = code
      for (const [key, controller] of Object.entries(UNUSED)) {
        const before = trimmed
        trimmed = trimmed.replace(`${key}: ${controller}`, `${key}: undefined`)
        if (trimmed === before) this.error(`hls.js no longer sets ${key} to ${controller}: look at the new version`)
      }
      return { code: trimmed, map: null, moduleSideEffects: false }
    },
  }
}
