// A place to drop files on: each becomes an event 'file' with its name and its bytes as a data URL.
const take = (files) => {
  for (const file of files) {
    if (file.size > props.most) {
      trigger('refused', { name: file.name, size: file.size });
      continue;
    }
    const reader = new FileReader();
    reader.onload = () => trigger('file', { name: file.name, data: reader.result });
    reader.readAsDataURL(file);
  }
};
element.addEventListener('change', (event) => {
  if (event.target.type !== 'file') return;
  take([...event.target.files]);
  event.target.value = '';
});
const over = (on) => (event) => {
  event.preventDefault();
  event.stopPropagation();
  element.classList.toggle('over', on);
};
element.addEventListener('dragover', over(true));
element.addEventListener('dragleave', over(false));
element.addEventListener('drop', (event) => {
  over(false)(event);
  take([...event.dataTransfer.files].slice(0, props.multiple ? 4 : 1));
});
