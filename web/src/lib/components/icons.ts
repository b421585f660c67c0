/** Icons as paths in a 24 by 24 box, drawn with strokes of 2 (`stroke`) or filled (`fill`). */
export const ICONS = {
  close: { stroke: 'M6 6l12 12M18 6L6 18' },
  check: { stroke: 'M5 12.5l4.5 4.5L19 7.5' },
  chevronRight: { stroke: 'M9 6l6 6-6 6' },
  chevronLeft: { stroke: 'M15 6l-6 6 6 6' },
  settings: {
    stroke:
      'M4 7h9m5 0h2M4 17h2m5 0h9M13.5 7a2.25 2.25 0 104.5 0 2.25 2.25 0 10-4.5 0zM6 17a2.25 2.25 0 104.5 0A2.25 2.25 0 106 17z',
  },
  keyboard: { stroke: 'M3 6.5h18v11H3zM7 10h.01M10.3 10h.01M13.7 10h.01M17 10h.01M8 14h8' },
  volumeOff: { stroke: 'M11 5L6.5 9H3v6h3.5L11 19zM16 9.5l5 5m0-5l-5 5' },
  volume: { stroke: 'M11 5L6.5 9H3v6h3.5L11 19zM15 9a4.2 4.2 0 010 6M17.7 6.3a8 8 0 010 11.4' },
  play: { fill: 'M8 5.2v13.6a.9.9 0 001.38.76l10.6-6.8a.9.9 0 000-1.52L9.38 4.44A.9.9 0 008 5.2z' },
  bolt: { fill: 'M13.2 2.5L5 13.5h5.6L9.8 21.5 19 9.8h-6.1z' },
  signalLow: { stroke: 'M5 18v-2.5M10 18v-6M15 18V8.5M20 18V5M3.5 4.5l17 16' },
  headphones: {
    stroke: 'M4 15v-2.5a8 8 0 0116 0V15M4 15h3.2v5.2H5.5A1.5 1.5 0 014 18.7zm16 0h-3.2v5.2h1.7a1.5 1.5 0 001.5-1.5z',
  },
  warning: { stroke: 'M12 4L2.8 19.8h18.4zM12 10v4.5M12 17.3v.01' },
  info: { stroke: 'M12 21a9 9 0 100-18 9 9 0 000 18zM12 11v5.5M12 7.6v.01' },
  external: { stroke: 'M14 4h6v6M20 4l-9 9M18 14v5.5H4.5V6H10' },
  camera: { stroke: 'M3 7h12v10H3zM15 11l6-3.5v9L15 13' },
  microphone: {
    stroke:
      'M12 3.5a2.8 2.8 0 00-2.8 2.8v5a2.8 2.8 0 005.6 0v-5A2.8 2.8 0 0012 3.5zM5.8 11a6.2 6.2 0 0012.4 0M12 17.2v3.3',
  },
  screen: { stroke: 'M3 5h18v11.5H3zM9 20h6m-3-3.5V20' },
  copy: { stroke: 'M9 9h11v11H9zM5.5 15H4V4h11v1.5' },
  stop: { fill: 'M6.5 5.5h11a1 1 0 011 1v11a1 1 0 01-1 1h-11a1 1 0 01-1-1v-11a1 1 0 011-1z' },
  calendar: { stroke: 'M4 6h16v14H4zM4 10.5h16M8 3.5V6m8-2.5V6' },
  link: {
    stroke: 'M10 14a4 4 0 005.7 0l3-3a4 4 0 00-5.7-5.7l-1.2 1.2M14 10a4 4 0 00-5.7 0l-3 3a4 4 0 005.7 5.7l1.2-1.2',
  },
  download: { stroke: 'M12 4v11m0 0l-4.5-4.5M12 15l4.5-4.5M4.5 19.5h15' },
  rewind: { stroke: 'M4 5v5h5M4.6 10A8 8 0 1112 20a8 8 0 01-7.4-5M12 8.5V12l2.5 2' },
  refresh: { stroke: 'M20 5v5h-5M4 19v-5h5M19.4 10A8 8 0 006 6.4L4.5 8M4.6 14A8 8 0 0018 17.6l1.5-1.6' },
  chat: { stroke: 'M4 5h16v11H10.5L6 20v-4H4z' },
  question: { stroke: 'M12 21a9 9 0 100-18 9 9 0 000 18zM9.6 9.4a2.5 2.5 0 114 2c-.9.7-1.6 1.2-1.6 2.3M12 16.8v.01' },
  poll: { stroke: 'M5 20V11M12 20V4M19 20v-6' },
  eye: {
    stroke:
      'M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 14.8a2.8 2.8 0 100-5.6 2.8 2.8 0 000 5.6z',
  },
  reply: { stroke: 'M10 6L4.5 11.5 10 17M5 11.5h8.5a6 6 0 016 6V19' },
  trash: { stroke: 'M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 12.5h9l1-12.5' },
  flag: { stroke: 'M6 21V4.5h11.5L15 9l2.5 4.5H6' },
  more: {
    fill: 'M5.5 10.2a1.8 1.8 0 100 3.6 1.8 1.8 0 000-3.6zM12 10.2a1.8 1.8 0 100 3.6 1.8 1.8 0 000-3.6zM18.5 10.2a1.8 1.8 0 100 3.6 1.8 1.8 0 000-3.6z',
  },
  smile: { stroke: 'M12 21a9 9 0 100-18 9 9 0 000 18zM8.5 14.2a4.2 4.2 0 007 0M9 9.5v.01M15 9.5v.01' },
  up: { stroke: 'M12 19V6M6 11.5L12 5.5l6 6' },
  down: { stroke: 'M12 5v13M6 12.5l6 6 6-6' },
  send: { stroke: 'M4 11.9L20 4.5l-5.2 15.5-3.6-6.6zM11.2 13.4L20 4.5' },
  shield: { stroke: 'M12 3.5l7.5 2.8v5.4c0 4.4-3.1 7.6-7.5 9-4.4-1.4-7.5-4.6-7.5-9V6.3z' },
  ban: { stroke: 'M12 21a9 9 0 100-18 9 9 0 000 18zM5.8 5.8l12.4 12.4' },
  person: { stroke: 'M12 12a4 4 0 100-8 4 4 0 000 8zM4.5 20.5c.6-4 3.6-6 7.5-6s6.9 2 7.5 6' },
  undo: { stroke: 'M8.5 5L4 9.5 8.5 14M4.5 9.5H14a5.5 5.5 0 010 11h-3' },
  search: { stroke: 'M10.5 17a6.5 6.5 0 100-13 6.5 6.5 0 000 13zM15.3 15.3L20 20' },
  pause: { fill: 'M7 5h3.2v14H7zM13.8 5H17v14h-3.2z' },
  list: { stroke: 'M4 6h16M4 12h16M4 18h10' },
} as const satisfies Record<string, { stroke: string } | { fill: string }>

export type IconName = keyof typeof ICONS
