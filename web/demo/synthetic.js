/** A video that needs no camera: skin with three spots that wander. */

/** Returns a stream of it, and a function that ends it. */
export function syntheticVideo({ width = 640, height = 480, framesPerSecond = 30 } = {}) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { alpha: false });
  const skin = drawSkin(width, height);
  const began = performance.now();
  const draw = () => {
    const seconds = (performance.now() - began) / 1000;
    context.drawImage(skin, 0, 0);
    for (const spot of SPOTS) drawSpot(context, spot, width, height, seconds);
  };
  draw();
  // A timer, since browsers draw nothing for pages that nobody sees.
  const timer = setInterval(draw, 1000 / framesPerSecond);
  const stream = canvas.captureStream(framesPerSecond);
  return { stream, end: () => clearInterval(timer) };
}

function drawSkin(width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { alpha: false });
  const light = context.createLinearGradient(0, 0, width, height);
  light.addColorStop(0, "rgb(226, 182, 152)");
  light.addColorStop(1, "rgb(188, 142, 112)");
  context.fillStyle = light;
  context.fillRect(0, 0, width, height);
  // Pores. The same ones each time, so that pictures can be compared.
  let state = 7;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  for (let pore = 0; pore < 6000; pore += 1) {
    context.fillStyle = random() < 0.5 ? "rgba(120, 70, 50, 0.06)" : "rgba(255, 235, 220, 0.06)";
    context.fillRect(random() * width, random() * height, 2 + random() * 3, 2 + random() * 3);
  }
  return canvas;
}

function drawSpot(context, { x, y, size, speed, color }, width, height, seconds) {
  const turn = seconds * speed;
  const centre = [width * (x + 0.1 * Math.sin(turn)), height * (y + 0.1 * Math.cos(turn * 0.8))];
  context.beginPath();
  for (let angle = 0; angle < 2 * Math.PI; angle += 0.1) {
    const radius = size * (1 + 0.08 * Math.sin(3 * angle + x * 9) + 0.05 * Math.cos(5 * angle));
    context.lineTo(centre[0] + radius * Math.cos(angle), centre[1] + 0.85 * radius * Math.sin(angle));
  }
  context.closePath();
  context.fillStyle = color;
  context.fill();
}

const SPOTS = [
  { x: 0.25, y: 0.3, size: 38, speed: 0.7, color: "rgb(104, 62, 44)" },
  { x: 0.7, y: 0.35, size: 26, speed: 1.1, color: "rgb(84, 52, 42)" },
  { x: 0.5, y: 0.72, size: 52, speed: 0.5, color: "rgb(122, 70, 50)" },
];
