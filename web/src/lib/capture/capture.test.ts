import { describe, expect, it } from 'vitest'
import { choose, deviceLists } from './devices'
import { decibels, LOWEST_DB, LevelMeter, peakOf, scale, SILENT_AFTER_MS } from './level'
import { cameraConstraints, encoderOptions, microphoneConstraints } from './presets'
import { browserFamily, captureProblem, environmentProblem } from './problems'

describe('devices', () => {
  it('are listed once, without the aliases and before a permission not at all', () => {
    const lists = deviceLists([
      { kind: 'videoinput', deviceId: 'c1', label: 'HD Webcam (046d:0825)' },
      { kind: 'videoinput', deviceId: '', label: '' },
      { kind: 'audioinput', deviceId: 'default', label: 'Default' },
      { kind: 'audioinput', deviceId: 'communications', label: 'Communications' },
      { kind: 'audioinput', deviceId: 'm1', label: 'Desk' },
      { kind: 'audiooutput', deviceId: 's1', label: 'Speakers' },
    ])
    expect(lists.cameras).toEqual([{ id: 'c1', label: 'HD Webcam' }])
    expect(lists.microphones.map((device) => device.id)).toEqual(['default', 'm1'])
  })

  it('fall back on the first one where the chosen one is gone', () => {
    const devices = [
      { id: 'a', label: '' },
      { id: 'b', label: '' },
    ]
    expect(choose(devices, 'b')).toBe('b')
    expect(choose(devices, 'gone')).toBe('a')
    expect(choose([], 'gone')).toBe('')
  })
})

describe('presets', () => {
  it('process speech in mono and leave music alone in stereo', () => {
    expect(microphoneConstraints('m', 'speech')).toMatchObject({ echoCancellation: true, noiseSuppression: true })
    expect(microphoneConstraints('m', 'music')).toMatchObject({
      echoCancellation: false,
      noiseSuppression: false,
      autoGainControl: false,
      channelCount: { ideal: 2 },
    })
    expect(encoderOptions('1080p', 'speech').audio).toEqual({ stereo: false, maxAverageBitrate: 64_000 })
    expect(encoderOptions('1080p', 'music').audio.stereo).toBe(true)
  })

  it('keep the resolution and ask for the very camera that was chosen', () => {
    expect(encoderOptions('1080p', 'speech').video.degradation).toBe('maintain-resolution')
    expect(cameraConstraints('c', '720p')).toMatchObject({ deviceId: { exact: 'c' }, height: { ideal: 720 } })
    expect(cameraConstraints('', '720p', 'environment')).toMatchObject({ facingMode: { ideal: 'environment' } })
  })
})

describe('problems', () => {
  it('begin with the page itself', () => {
    expect(environmentProblem({ isSecureContext: false, mediaDevices: undefined })).toBe('insecure')
    expect(environmentProblem({ isSecureContext: true, mediaDevices: undefined })).toBe('unsupported')
    expect(environmentProblem({ isSecureContext: true, mediaDevices: {} })).toBeNull()
  })

  it('are told apart by the exception', () => {
    const named = (name: string, message = '') => ({ name, message })
    expect(captureProblem(named('NotAllowedError'))).toBe('denied')
    expect(captureProblem(named('NotAllowedError', 'Permission denied by system'))).toBe('denied_by_system')
    expect(captureProblem(named('NotFoundError'))).toBe('not_found')
    expect(captureProblem(named('NotReadableError'))).toBe('busy')
    expect(captureProblem(named('OverconstrainedError'))).toBe('overconstrained')
    expect(captureProblem('what?')).toBe('unknown')
  })

  it('are explained in the words of the browser', () => {
    expect(browserFamily('Mozilla/5.0 (X11; Linux) Gecko/20100101 Firefox/150.0')).toBe('firefox')
    expect(browserFamily('Mozilla/5.0 AppleWebKit/537.36 Chrome/156.0 Safari/537.36')).toBe('chromium')
    expect(browserFamily('Mozilla/5.0 (Macintosh) AppleWebKit/605 Version/26 Safari/605')).toBe('safari')
  })
})

describe('the level meter', () => {
  it('reads in dBFS between its floor and full scale', () => {
    expect(decibels(1)).toBe(0)
    expect(decibels(0.5)).toBeCloseTo(-6, 0)
    expect(decibels(0)).toBe(LOWEST_DB)
    expect(peakOf([0.1, -0.7, 0.3])).toBe(0.7)
    expect(scale(LOWEST_DB)).toBe(0)
    expect(scale(6)).toBe(1)
  })

  it('holds a peak, then lets it fall', () => {
    const meter = new LevelMeter()
    meter.take([0.5], 0)
    for (let ms = 50; ms <= 1000; ms += 50) meter.take([0.01], ms)
    expect(meter.levels[0]?.peakDb).toBeCloseTo(-6, 0)
    expect(meter.levels[0]?.db).toBeLessThan(-20)
    for (let ms = 1050; ms <= 3000; ms += 50) meter.take([0.01], ms)
    expect(meter.levels[0]?.peakDb).toBeLessThan(-30)
  })

  it('hints at silence after some seconds and takes it back with the first sound', () => {
    const meter = new LevelMeter()
    meter.take([0, 0], 0)
    expect(meter.hint(SILENT_AFTER_MS - 1)).toBe('')
    meter.take([0.0005, 0], SILENT_AFTER_MS)
    expect(meter.hint(SILENT_AFTER_MS)).toBe('silent')
    meter.take([0.05, 0], SILENT_AFTER_MS + 50)
    expect(meter.hint(SILENT_AFTER_MS + 50)).toBe('')
  })

  it('hints at distortion for a while after a clipped peak', () => {
    const meter = new LevelMeter()
    meter.take([1], 0)
    meter.take([0.1], 50)
    expect(meter.hint(1000)).toBe('loud')
    expect(meter.hint(4000)).toBe('')
  })
})
