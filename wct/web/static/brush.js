// Painting on a photo: after each stroke an event 'paint' with a PNG, white where was painted and black elsewhere.
const COLOR = 'rgb(255, 96, 32)';
let erasing = false;
let last = null;
const canvas = () => element.querySelector('canvas');
const radius = (paint) => (paint.width * element.querySelector('input').value) / 200;

const fit = () => {
  const photo = element.querySelector('img');
  if (!photo) return;
  const size = () => {
    canvas().width = photo.naturalWidth;
    canvas().height = photo.naturalHeight;
  };
  if (photo.complete && photo.naturalWidth) size();
  else photo.addEventListener('load', size, { once: true });
};
const place = (event) => {
  const paint = canvas();
  const box = paint.getBoundingClientRect();
  return [
    ((event.clientX - box.left) * paint.width) / box.width,
    ((event.clientY - box.top) * paint.height) / box.height,
  ];
};
const stroke = (event) => {
  const paint = canvas();
  const here = place(event);
  const pen = paint.getContext('2d');
  pen.globalCompositeOperation = erasing ? 'destination-out' : 'source-over';
  pen.strokeStyle = COLOR;
  pen.lineWidth = 2 * radius(paint);
  pen.lineCap = 'round';
  pen.beginPath();
  pen.moveTo(...(last || here));
  pen.lineTo(...here);
  pen.stroke();
  last = here;
};
const send = () => {
  const paint = canvas();
  const copy = document.createElement('canvas');
  copy.width = paint.width;
  copy.height = paint.height;
  const pen = copy.getContext('2d');
  pen.drawImage(paint, 0, 0);
  pen.globalCompositeOperation = 'source-in';
  pen.fillStyle = 'white';
  pen.fillRect(0, 0, copy.width, copy.height);
  pen.globalCompositeOperation = 'destination-over';
  pen.fillStyle = 'black';
  pen.fillRect(0, 0, copy.width, copy.height);
  trigger('paint', { png: copy.toDataURL('image/png') });
};

element.addEventListener('pointerdown', (event) => {
  if (event.target !== canvas()) return;
  event.preventDefault();
  canvas().setPointerCapture(event.pointerId);
  last = null;
  stroke(event);
});
element.addEventListener('pointermove', (event) => {
  if (last) stroke(event);
});
const end = () => {
  if (!last) return;
  last = null;
  send();
};
element.addEventListener('pointerup', end);
element.addEventListener('pointercancel', end);
element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.name === 'erase') {
    erasing = !erasing;
    button.setAttribute('aria-pressed', erasing);
  } else {
    canvas().getContext('2d').clearRect(0, 0, canvas().width, canvas().height);
    send();
  }
});
watch('value', () => {
  erasing = false;
  fit();
});
fit();
