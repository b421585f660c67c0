/** A short, soft tone. Browsers let it sound once somebody has pressed something on the page. */
let context: AudioContext | null = null

export function ring(): void {
  context ??= new AudioContext()
  const { currentTime } = context
  const tone = context.createOscillator()
  const volume = context.createGain()
  tone.frequency.value = 660
  volume.gain.setValueAtTime(0.0001, currentTime)
  volume.gain.exponentialRampToValueAtTime(0.12, currentTime + 0.02)
  volume.gain.exponentialRampToValueAtTime(0.0001, currentTime + 0.35)
  tone.connect(volume).connect(context.destination)
  tone.start()
  tone.stop(currentTime + 0.4)
}
