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

const MUX = 'const muxConfig = [{ demux: MP4Demuxer, remux: PassThroughRemuxer }];\n'
/** All broadcasts are CMAF: no other container is read, and no captions are hidden in its pictures. */
const UNREACHED: readonly (readonly [RegExp | string, string])[] = [
  [/const muxConfig = \[[^]*?\}\];\n\{\n {2}muxConfig\.splice[^]*?\n\}\n/, MUX],
  ['TSDemuxer.probe(initSegmentData, this.logger)', 'false'],
  ['EMEController.CDMCleanupPromise = void 0;', ''],
  ['this.cea608Parser1 = new Cea608Parser(1, channel1, channel2)', ''],
  ['this.cea608Parser2 = new Cea608Parser(3, channel3, channel4)', ''],
]

/**
 * A part of the segment numbered 0 counts as a part of none, so that hls.js takes what it has just appended for evicted:
 * it asks for the first segment's parts a hundred times a second until the next one begins.
 */
const FIRST_SEGMENT: readonly [string, string] = [
  'const appendedPartSn = (appendedPart == null ? void 0 : appendedPart.fragment.sn) || -1;',
  'const appendedPartSn = appendedPart?.fragment.sn ?? -1;',
]

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
      for (const [what, instead] of [...UNREACHED, FIRST_SEGMENT]) {
        const before = trimmed
        trimmed = trimmed.replace(what, instead)
        if (trimmed === before) this.error(`hls.js no longer has ${what}: look at the new version`)
      }
      return { code: trimmed, map: null, moduleSideEffects: false }
    },
  }
}
