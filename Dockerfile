# Run the page in a container: docker build -t cnnvis . && docker run -p 7860:7860 cnnvis
FROM python:3.12-slim

RUN useradd --create-home cnnvis
WORKDIR /home/cnnvis/app
# The CPU build of PyTorch is a tenth of the size. For a GPU, set TORCH_INDEX=https://pypi.org/simple.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY requirements.txt .
RUN pip install --no-cache-dir torch torchvision --index-url "$TORCH_INDEX" \
    && pip install --no-cache-dir -r requirements.txt
COPY --chown=cnnvis app.py ./
COPY --chown=cnnvis cnnvis cnnvis
COPY --chown=cnnvis examples examples

USER cnnvis
ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_ANALYTICS_ENABLED=False PYTHONUNBUFFERED=1
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD python -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/healthz', timeout=4)"
CMD ["python", "app.py"]
