/**
 * The outgoing sound: microphone and the screen's sound in one track that lives as long as the page, with levels on the way.
 */

import { peakOf } from './level'

export type MixInput = 'microphone' | 'screen'
/** `ambient` is listened to and not mixed. */
export type MeterInput = MixInput | 'ambient'

export class Mixer {
  private readonly context = new AudioContext({ latencyHint: 'interactive', sampleRate: 48_000 })
  private readonly out: MediaStreamAudioDestinationNode
  private readonly bus: GainNode
  private readonly inputs = new Map<MixInput, { node: MediaStreamAudioSourceNode; gain: GainNode }>()
  private readonly analysers: AnalyserNode[] = []
  private readonly samples: Float32Array<ArrayBuffer>
  private readonly gains = new Map<MixInput, number>()
  /** Of each input, before gain and mixing. */
  private readonly meters = new Map<MeterInput, { node: AudioNode; analyser: AnalyserNode }>()

  constructor(onRunning: (running: boolean) => void) {
    this.out = this.context.createMediaStreamDestination()
    this.out.channelCount = 2
    this.bus = this.context.createGain()
    this.bus.channelCount = 2
    this.bus.channelCountMode = 'explicit'
    this.bus.connect(this.out)
    const splitter = this.context.createChannelSplitter(2)
    this.bus.connect(splitter)
    for (const channel of [0, 1]) {
      const analyser = this.context.createAnalyser()
      // 43 ms of samples: longer than the time between two looks, so that no peak falls between them.
      analyser.fftSize = 2048
      splitter.connect(analyser, channel)
      this.analysers.push(analyser)
    }
    this.samples = new Float32Array(2048)
    this.context.onstatechange = () => onRunning(this.running)
  }

  /** Browsers hold sound processing back until the page was touched; `resume` is worth calling at each gesture. */
  get running(): boolean {
    return this.context.state === 'running'
  }

  get track(): MediaStreamTrack | null {
    return this.out.stream.getAudioTracks()[0] ?? null
  }

  async resume(): Promise<void> {
    if (this.context.state !== 'running' && this.context.state !== 'closed') await this.context.resume()
  }

  attach(input: MixInput, track: MediaStreamTrack | null): void {
    const before = this.inputs.get(input)
    before?.node.disconnect()
    before?.gain.disconnect()
    this.inputs.delete(input)
    this.meters.delete(input)
    if (!track) return
    const node = this.context.createMediaStreamSource(new MediaStream([track]))
    const gain = this.context.createGain()
    gain.gain.value = this.gains.get(input) ?? 1
    node.connect(gain).connect(this.bus)
    this.inputs.set(input, { node, gain })
    this.meter(input, node)
  }

  /** Measures a microphone that nobody hears. */
  listen(track: MediaStreamTrack | null): void {
    const before = this.meters.get('ambient')
    before?.node.disconnect()
    this.meters.delete('ambient')
    if (track) this.meter('ambient', this.context.createMediaStreamSource(new MediaStream([track])))
  }

  /** Largest amplitude of an input in the last 43 ms, before mixing; null where it is not attached. */
  peakOf(input: MeterInput): number | null {
    const meter = this.meters.get(input)
    if (!meter) return null
    meter.analyser.getFloatTimeDomainData(this.samples)
    return peakOf(this.samples)
  }

  private meter(input: MeterInput, node: AudioNode): void {
    const analyser = this.context.createAnalyser()
    analyser.fftSize = 2048
    node.connect(analyser)
    this.meters.set(input, { node, analyser })
  }

  /** 0 mutes; ramped, since a step clicks. */
  setGain(input: MixInput, gain: number): void {
    this.gains.set(input, gain)
    this.inputs.get(input)?.gain.gain.setTargetAtTime(gain, this.context.currentTime, 0.015)
  }

  /** Largest amplitude of each channel in the last 43 ms. */
  peaks(): number[] {
    return this.analysers.map((analyser) => {
      analyser.getFloatTimeDomainData(this.samples)
      return peakOf(this.samples)
    })
  }

  close(): void {
    for (const input of [...this.inputs.keys()]) this.attach(input, null)
    this.listen(null)
    void this.context.close()
  }
}
